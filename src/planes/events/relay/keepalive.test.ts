import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Keepalive, type KeepaliveInput } from './keepalive.ts'

const times = { pingIntervalMs: 30_000, pongTimeoutMs: 10_000 }
const at = (seconds: number, input: Partial<KeepaliveInput> = {}): KeepaliveInput => {
  return { now: seconds * 1_000, sentBytes: 0, pendingBytes: 0, paused: false, ...input }
}

describe('keepalive', () => {
  it('pings after 30 s and gives up 10 s later', () => {
    const keepalive = new Keepalive(times, 0)
    assert.equal(keepalive.check(at(29)), 'wait')
    assert.equal(keepalive.check(at(30)), 'ping')
    assert.equal(keepalive.check(at(40)), 'wait')
    assert.equal(keepalive.check(at(41)), 'dead')
  })

  it('takes a pong, and any other frame, as a sign of life', () => {
    const keepalive = new Keepalive(times, 0)
    keepalive.check(at(30))
    keepalive.pong(35_000)
    assert.equal(keepalive.check(at(59)), 'wait')
    assert.equal(keepalive.check(at(60)), 'ping')
    keepalive.received(69_000)
    assert.equal(keepalive.check(at(79)), 'wait')
    assert.equal(keepalive.check(at(80)), 'dead')
  })

  it('K8 gives a slow reader the time that what was sent before the ping takes at 1 kB/s', () => {
    const keepalive = new Keepalive(times, 0)
    const sent = { sentBytes: 100 * 1_024 }
    assert.equal(keepalive.check(at(30, sent)), 'ping')
    assert.equal(keepalive.check(at(30 + 10 + 100, sent)), 'wait')
    assert.equal(keepalive.check(at(30 + 10 + 101, sent)), 'dead')
  })

  it('K8 starts anew whenever the peer has taken bytes from our buffer', () => {
    const keepalive = new Keepalive(times, 0)
    assert.equal(keepalive.check(at(30, { sentBytes: 2_048, pendingBytes: 2_048 })), 'ping')
    assert.equal(keepalive.check(at(41, { sentBytes: 2_048, pendingBytes: 1_000 })), 'wait')
    assert.equal(keepalive.check(at(53, { sentBytes: 2_048, pendingBytes: 1_000 })), 'wait')
    assert.equal(keepalive.check(at(54, { sentBytes: 2_048, pendingBytes: 1_000 })), 'dead')
  })

  it('does not blame a peer whose answer we are not reading', () => {
    const keepalive = new Keepalive(times, 0)
    assert.equal(keepalive.check(at(30)), 'ping')
    assert.equal(keepalive.check(at(100, { paused: true })), 'wait')
    assert.equal(keepalive.check(at(110)), 'wait')
    assert.equal(keepalive.check(at(111)), 'dead')
  })
})
