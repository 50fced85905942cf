import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { type RealRelay, realRelay } from '../../../../test/peers/real-relay.ts'
import { eventOf, TestClient } from '../../../../test/peers/test-client.ts'

const mebibyte = 1_048_576
/** More than what the operating system buffers on both ends of a local connection. */
const eventBytes = 40_000

const large = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => {
    const id = hexId(from + at)
    return craft({ id, created_at: 1_000 + from + at, content: 'x'.repeat(eventBytes) })
  })

/** Resolves when the relay has stopped producing for its slow reader. */
async function stalled({ relay }: RealRelay): Promise<void> {
  while (relay.stats().pendingBytes < mebibyte) await setImmediate()
}

async function idsUpTo(client: TestClient, last: string): Promise<string[]> {
  const ids: string[] = []
  do {
    const frame = await client.next()
    if (frame[0] === 'EVENT') ids.push(eventOf(frame).id)
  } while (ids.at(-1) !== last)
  return ids
}

describe('relay: a reader that does not read (K7, K8, T-MAL-19)', { timeout: 60_000 }, () => {
  it('E-154 K8 holds 1 MiB and one event for it, serves others meanwhile, and sends it everything later', async () => {
    await using peer = await realRelay()
    const stored = large(0, 500)
    await peer.store.put(stored.map(asParsed))
    using slow = await TestClient.connect(peer.url)
    using other = await TestClient.connect(peer.url)
    slow.socket.pause()
    slow.send(['REQ', 'all', { kinds: [1] }])
    await stalled(peer)
    assert.deepEqual((await other.ask(['COUNT', 'c', { kinds: [1] }]))[2], { count: 500 })
    const later = large(500, 800)
    for (let at = 0; at < later.length; at += 50) await peer.store.put(later.slice(at, at + 50).map(asParsed))
    assert.deepEqual((await other.ask(['COUNT', 'c', { kinds: [1] }]))[2], { count: 800 })
    assert.ok(peer.relay.stats().pendingBytes <= mebibyte + 2 * eventBytes, 'whatever is accepted meanwhile')
    slow.socket.resume()
    const got = await idsUpTo(slow, later.at(-1)!.id)
    const wanted = [...stored.toReversed(), ...later].map(({ id }) => id)
    assert.deepEqual(got, wanted)
  })

  it('finds the place of a live reader again by seq, with nothing lost and nothing twice', async () => {
    await using peer = await realRelay()
    using slow = await TestClient.connect(peer.url)
    await slow.request('by kind or time', { kinds: [1] }, { since: 1 })
    slow.socket.pause()
    const events = large(0, 600)
    for (let at = 0; at < events.length; at += 20) {
      await peer.store.put(events.slice(at, at + 20).map(asParsed))
      assert.ok(peer.relay.stats().pendingBytes <= mebibyte + 2 * eventBytes)
    }
    await stalled(peer)
    slow.socket.resume()
    assert.deepEqual(
      await idsUpTo(slow, events.at(-1)!.id),
      events.map(({ id }) => id),
    )
    const [next] = large(600, 601)
    await peer.store.put([asParsed(next!)])
    assert.equal(eventOf(await slow.next()).id, next!.id, 'live again')
  })

  it('drops and counts ephemeral events that find no room, as no store has them', async () => {
    await using peer = await realRelay()
    using slow = await TestClient.connect(peer.url)
    await slow.request('ephemeral', { kinds: [20_000] })
    slow.socket.pause()
    while (peer.relay.stats().ephemeralsDropped === 0)
      await peer.store.put(large(0, 10).map((event) => asParsed({ ...event, kind: 20_000 })))
    assert.ok(peer.relay.stats().pendingBytes <= mebibyte + 2 * eventBytes)
  })

  it('reads no more requests from it than one inbox holds', async () => {
    await using peer = await realRelay({
      limits: { requestsPerConnection: 1_000_000, requestsPerAddress: 1_000_000, maxMessageBytes: 300_000 },
    })
    await peer.store.put(large(0, 500).map(asParsed))
    using slow = await TestClient.connect(peer.url)
    using other = await TestClient.connect(peer.url)
    slow.socket.pause()
    slow.send(['REQ', 'all', {}])
    await stalled(peer)
    // 40 MB of requests that would each be answered; the relay must leave them in the network.
    const ids = Array.from({ length: 1_000 }, (_, at) => hexId(at))
    for (let at = 0; at < 600; at++) slow.send(['COUNT', String(at), { ids }])
    const before = slow.socket.bufferedAmount
    assert.deepEqual((await other.ask(['COUNT', 'c', { kinds: [1] }]))[2], { count: 500 })
    assert.ok(slow.socket.bufferedAmount > before / 2, 'the sender is held up')
    assert.ok(peer.relay.stats().pendingBytes <= mebibyte + 2 * eventBytes)
    slow.socket.resume()
    const answers = new Set<unknown>()
    while (answers.size < 600) {
      const [verb, id] = await slow.next()
      if (verb === 'COUNT') answers.add(id)
    }
  })

  it('E-154 T-MAL-20 many slow readers share one budget', async () => {
    await using peer = await realRelay({ limits: { maxPendingBytesTotal: 2 * mebibyte } })
    await peer.store.put(large(0, 500).map(asParsed))
    const readers = await Promise.all(Array.from({ length: 10 }, () => TestClient.connect(peer.url)))
    for (const reader of readers) {
      reader.socket.pause()
      reader.send(['REQ', 'all', {}])
    }
    while (peer.relay.stats().pendingBytes < 2 * mebibyte) await setImmediate()
    for (let turn = 0; turn < 200; turn++) await setImmediate()
    assert.ok(peer.relay.stats().pendingBytes <= 3 * mebibyte + 20 * eventBytes)
    const last = large(0, 1)[0]!.id
    for (const reader of readers) reader.socket.resume()
    for (const reader of readers) assert.equal((await idsUpTo(reader, last)).length, 500)
    for (const reader of readers) reader[Symbol.dispose]()
  })
})
