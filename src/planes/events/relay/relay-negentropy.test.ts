import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { negentropyDifference } from '../../../../test/peers/negentropy-client.ts'
import { realRelay } from '../../../../test/peers/real-relay.ts'
import { TestClient } from '../../../../test/peers/test-client.ts'

const many = (count: number) =>
  Array.from({ length: count }, (_, at) => craft({ id: hexId(at), created_at: 1_000 + Math.floor(at / 3) }))

/** Protocol version 1, and one range without end for which the sender lists no ids. */
const emptySet = '6100000200'

describe('relay: negentropy (NIP-77)', { timeout: 30_000 }, () => {
  it('tells another implementation exactly what each side lacks, in answers within the frame limit', async () => {
    await using peer = await realRelay({ limits: { maxNegFrameBytes: 5_000 } })
    const events = many(3_000)
    await peer.store.put(events.slice(200).map(asParsed))
    using client = await TestClient.connect(peer.url)
    const { have, need, longest } = await negentropyDifference(client, { kinds: [1] }, events.slice(0, 2_900))
    assert.deepEqual(
      have.toSorted(),
      events
        .slice(0, 200)
        .map(({ id }) => id)
        .toSorted(),
    )
    assert.deepEqual(
      need.toSorted(),
      events
        .slice(2_900)
        .map(({ id }) => id)
        .toSorted(),
    )
    assert.ok(longest <= 5_000, `an answer of ${longest} bytes`)
    await client.settled()
    assert.equal(peer.relay.stats().negotiations, 0)
  })

  it('never answers with more than fits into a message of the size it takes itself', async () => {
    await using peer = await realRelay({ limits: { maxMessageBytes: 20_000, maxEventBytes: 10_000 } })
    const events = many(3_000)
    await peer.store.put(events.map(asParsed))
    using client = await TestClient.connect(peer.url)
    let longest = 0
    client.socket.on('message', (data) => {
      longest = Math.max(longest, (data as Buffer).length)
    })
    assert.equal((await negentropyDifference(client, {}, [], 9_000)).need.length, 3_000)
    assert.ok(longest > 10_000 && longest <= 20_000, `a message of ${longest} bytes`)
  })

  it('E-119 NEG-OPEN with an open id starts anew, and a REQ with the same id lives on', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(10).map(asParsed))
    using client = await TestClient.connect(peer.url)
    await client.request('same', { kinds: [7] })
    assert.equal((await client.ask(['NEG-OPEN', 'same', {}, emptySet]))[0], 'NEG-MSG')
    assert.equal((await client.ask(['NEG-OPEN', 'same', [{ kinds: [1] }], emptySet]))[0], 'NEG-MSG')
    assert.equal(peer.relay.stats().negotiations, 1)
    client.send(['NEG-CLOSE', 'same'])
    client.send(['NEG-CLOSE', 'never opened'])
    assert.deepEqual(await client.settled(), [])
    assert.equal(peer.relay.stats().negotiations, 0)
    assert.equal(peer.relay.stats().subscriptions, 1)
  })

  it('E-120 refuses a set over the limit, with the limit', async () => {
    await using peer = await realRelay({ limits: { maxNegRecords: 20 } })
    await peer.store.put(many(21).map(asParsed))
    using client = await TestClient.connect(peer.url)
    assert.deepEqual(await client.ask(['NEG-OPEN', 'n', {}, emptySet]), [
      'NEG-ERR',
      'n',
      'blocked: this query is too big',
      20,
    ])
    assert.equal((await client.ask(['NEG-OPEN', 'n', { until: 1_005 }, emptySet]))[0], 'NEG-MSG')
    assert.equal(peer.relay.stats().negotiations, 1, 'the refused session counts no more')
  })

  it('E-121 ends an idle session after 60 s, but not one in use', async () => {
    const clock = new FakeClock(Date.now())
    await using peer = await realRelay({ clock })
    using client = await TestClient.connect(peer.url)
    client.socket.on('ping', () => {})
    for (const id of ['idle', 'used'])
      assert.equal((await client.ask(['NEG-OPEN', id, {}, emptySet]))[0], 'NEG-MSG')
    await clock.advance(40_000)
    assert.equal((await client.ask(['NEG-MSG', 'used', emptySet]))[0], 'NEG-MSG')
    await clock.advance(25_000)
    assert.deepEqual(await client.next(), ['NEG-ERR', 'idle', 'closed: negentropy session timed out'])
    assert.deepEqual(await client.ask(['NEG-MSG', 'idle', emptySet]), [
      'NEG-ERR',
      'idle',
      'closed: unknown subscription handle',
    ])
    assert.equal((await client.ask(['NEG-MSG', 'used', emptySet]))[0], 'NEG-MSG')
  })

  it('E-118 answers malformed messages with invalid: and ends the session (incident I3)', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(10).map(asParsed))
    using client = await TestClient.connect(peer.url)
    const malformed = [
      '61',
      '6100',
      '61000000',
      '6100000201',
      '61ff',
      `61${'80'.repeat(40)}`,
      '6100000109',
      '6100000205ab',
    ]
    for (const message of malformed) {
      const first = await client.ask(['NEG-OPEN', 'n', {}, emptySet])
      assert.equal(first[0], 'NEG-MSG')
      const answer = await client.ask(['NEG-MSG', 'n', message])
      if (answer[0] === 'NEG-MSG') continue
      assert.equal(answer[0], 'NEG-ERR')
      assert.match(String(answer[2]), /^invalid: /, message)
      assert.match(String((await client.ask(['NEG-MSG', 'n', emptySet]))[2]), /^closed: /)
    }
    assert.match(String((await client.ask(['NEG-MSG', 'n', 'xyz']))[2]), /^invalid: /)
    assert.match(
      String((await client.ask(['NEG-OPEN', 'n', { limit: 5 }, emptySet]))[2]),
      /^invalid: .*limit/,
    )
    assert.match(String((await client.ask(['NEG-OPEN', 'n', { search: '' }, emptySet]))[2]), /^unsupported: /)
    assert.match(String((await client.ask(['NEG-OPEN', 'n', [{}, {}], emptySet]))[2]), /^invalid: /)
  })

  it('K7 bounds the records that sessions keep in memory, and gives them back', async () => {
    await using peer = await realRelay({ limits: { maxNegRecordsInMemory: 25 } })
    await peer.store.put(many(20).map(asParsed))
    using client = await TestClient.connect(peer.url)
    const open = (id: string, filter: object) => client.ask(['NEG-OPEN', id, filter, emptySet])
    assert.equal((await open('a', { kinds: [1] }))[0], 'NEG-MSG')
    assert.match(String((await open('b', { kinds: [1, 2] }))[2]), /^blocked: /)
    assert.equal(peer.relay.stats().negotiations, 1)
    assert.equal((await open('c', {}))[0], 'NEG-MSG', 'the index answers without holding records')
    client.send(['NEG-CLOSE', 'a'])
    assert.equal((await open('b', { kinds: [1, 2] }))[0], 'NEG-MSG')
  })

  it('bounds sessions per connection and in all', async () => {
    await using peer = await realRelay({ limits: { maxNegSessionsPerConnection: 2, maxNegSessions: 3 } })
    using one = await TestClient.connect(peer.url)
    using other = await TestClient.connect(peer.url)
    const open = async (client: TestClient, id: string) =>
      (await client.ask(['NEG-OPEN', id, {}, emptySet]))[2]
    for (const id of ['a', 'b']) assert.match(String(await open(one, id)), /^[0-9a-f]+$/)
    assert.match(String(await open(one, 'c')), /^blocked: .*connection/)
    assert.match(String(await open(other, 'a')), /^[0-9a-f]+$/)
    assert.match(String(await open(other, 'b')), /^blocked: .*relay/)
    one.socket.terminate()
    while (peer.relay.stats().negotiations > 1) await other.settled()
    assert.match(String(await open(other, 'b')), /^[0-9a-f]+$/, 'a closed connection gives its sessions back')
  })
})
