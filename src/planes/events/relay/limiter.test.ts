import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { defaultLimits, type Limits } from '../limits.ts'
import { Admission, Limiter } from './limiter.ts'

function setup(limits: Partial<Limits> = {}) {
  const clock = new FakeClock()
  const limiter = new Limiter({ ...defaultLimits, ...limits }, clock)
  const connect = (address = '192.0.2.1') => {
    const admission = limiter.connect(address)
    assert.ok(admission instanceof Admission, String(admission))
    return admission
  }
  return { clock, limiter, connect }
}

describe('limiter', () => {
  it('counts connections per address and in all, and takes back what is disposed, once', () => {
    const { limiter, connect } = setup({ maxConnections: 3, maxConnectionsPerAddress: 2 })
    const first = connect()
    connect()
    assert.equal(limiter.connect('192.0.2.1'), 'address-full')
    connect('192.0.2.2')
    assert.equal(limiter.connect('192.0.2.3'), 'relay-full')
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    assert.equal(limiter.connections, 2)
    connect('192.0.2.3')
  })

  it('takes a /64 of IPv6, and an IPv4 address however it is written, for one address', () => {
    const { limiter, connect } = setup({ maxConnectionsPerAddress: 1 })
    connect('2001:db8:0:7::1')
    for (const same of ['2001:db8:0:7:ffff::2', '2001:DB8::7:1:2:3:4'])
      assert.equal(limiter.connect(same), 'address-full', same)
    connect('2001:db8:0:8::1')
    connect('::ffff:192.0.2.1')
    assert.equal(limiter.connect('192.0.2.1'), 'address-full')
    connect('fe80::1%eth0')
    assert.equal(limiter.connect('fe80::2%eth1'), 'address-full')
  })

  it('K9 shares the rate of an address among its connections, and leaves others alone', () => {
    const { connect } = setup({ eventsPerConnection: 10, eventsPerAddress: 20, burstSeconds: 1 })
    const [one, two, other] = [connect(), connect(), connect('192.0.2.2')]
    assert.equal(one.spendEvents(10), 0)
    assert.equal(two.spendEvents(10), 0)
    assert.equal(two.spendEvents(1), 100, 'its own rate')
    const three = connect()
    assert.equal(three.spendEvents(1), 100, 'the rate of the address')
    assert.equal(other.spendEvents(10), 0)
  })

  it('T-MAL-20 bounds all senders together', () => {
    const { connect } = setup({ eventsPerConnection: 10, eventsPerRelay: 15, burstSeconds: 1 })
    assert.equal(connect('192.0.2.1').spendEvents(10), 0)
    assert.ok(connect('192.0.2.2').spendEvents(10) > 0)
  })

  const rates: readonly [keyof Limits, (admission: Admission) => number][] = [
    ['eventsPerConnection', (admission) => admission.spendEvents(1)],
    ['eventsPerAddress', (admission) => admission.spendEvents(1)],
    ['eventsPerRelay', (admission) => admission.spendEvents(1)],
    ['requestsPerConnection', (admission) => admission.spendRequest()],
    ['requestsPerAddress', (admission) => admission.spendRequest()],
  ]
  for (const [name, spend] of rates)
    it(`E-150 ${name} is what is taken at once, times burstSeconds, and then per second`, async () => {
      const { clock, connect } = setup({ [name]: 10, burstSeconds: 3 })
      const admission = connect()
      // A handshake is a request of its address.
      const burst = name === 'requestsPerAddress' ? 29 : 30
      for (let at = 0; at < burst; at++) assert.equal(spend(admission), 0, `number ${at}`)
      assert.equal(spend(admission), 100)
      await clock.advance(100)
      assert.equal(spend(admission), 100, 'the debt was paid, and there is a new one')
      await clock.advance(3_100)
      for (let at = 0; at < 30; at++) assert.equal(spend(admission), 0)
    })

  it('connecting anew does not give an address a fresh rate', async () => {
    const { clock, limiter, connect } = setup({ requestsPerAddress: 1, burstSeconds: 3 })
    for (let at = 0; at < 3; at++) connect()[Symbol.dispose]()
    assert.equal(limiter.connect('192.0.2.1'), 'address-too-fast')
    limiter.prune()
    assert.equal(limiter.addresses, 1, 'still owing')
    await clock.advance(3_000)
    limiter.prune()
    assert.equal(limiter.addresses, 0)
    connect()
  })

  it('bounds negentropy sessions per connection and in all', () => {
    const { limiter, connect } = setup({ maxNegSessionsPerConnection: 2, maxNegSessions: 3 })
    const [one, two] = [connect(), connect()]
    const release = one.negotiate()
    one.negotiate()
    assert.equal(one.negotiate(), 'connection')
    two.negotiate()
    assert.equal(two.negotiate(), 'relay')
    assert.ok(typeof release === 'function')
    release()
    assert.equal(limiter.negotiations, 2)
    assert.equal(typeof two.negotiate(), 'function')
  })

  it('K7 bounds the filter values held per connection and in all', () => {
    const { connect } = setup({ maxSubscriptionValues: 10, maxSubscriptionValuesTotal: 15 })
    const [one, two] = [connect(), connect()]
    const release = one.holdValues(10)
    assert.equal(one.holdValues(1), undefined)
    assert.equal(two.holdValues(6), undefined)
    assert.ok(two.holdValues(5))
    release?.()
    assert.ok(one.holdValues(10))
  })
})
