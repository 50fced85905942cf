import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import { realRelay } from '../../../../test/peers/real-relay.ts'
import { eventOf, TestClient } from '../../../../test/peers/test-client.ts'
import type { NostrEvent } from '../event.ts'

const now = () => Math.floor(Date.now() / 1_000)
const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id)

/** Newest first, ties by id: the order of NIP-01. */
const newestFirst = (events: readonly NostrEvent[]) =>
  events.toSorted((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))

/** Events the store takes without a look at their signatures. */
const many = (count: number, parts: (at: number) => Partial<NostrEvent> = () => ({})) =>
  Array.from({ length: count }, (_, at) => craft({ id: hexId(at), created_at: 1_000 + at, ...parts(at) }))

describe('relay: EVENT', { timeout: 30_000 }, () => {
  it('E-140 stores an event once, and answers true again with duplicate:', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const event = newAuthor().write({ content: 'x' })
    assert.deepEqual(await client.ask(['EVENT', event]), ['OK', event.id, true, ''])
    const [verb, id, accepted, reason] = await client.ask(['EVENT', event])
    assert.deepEqual([verb, id, accepted], ['OK', event.id, true])
    assert.match(String(reason), /^duplicate: /)
    assert.equal(await peer.store.count([{}], { restrictedKinds: [], pubkeys: [] }), 1)
  })

  it('answers every event in the order they came', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const author = newAuthor()
    const events = Array.from({ length: 100 }, (_, at) => author.write({ content: String(at) }))
    for (const event of events) client.send(['EVENT', event])
    const answers: unknown[] = []
    for (const _ of events) answers.push((await client.next())[1])
    assert.deepEqual(answers, ids(events))
  })

  it('serves the text of an event as its author wrote it', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const { id, pubkey, created_at, kind, tags, content, sig } = newAuthor().write({ content: 'ä/\u2028' })
    const raw = `{ "sig":"${sig}", "content":"\\u00e4\\/\u2028", "tags":[ ],"kind":${kind},"created_at":${created_at},"pubkey":"${pubkey}","id":"${id}" }`
    assert.deepEqual([tags, content], [[], 'ä/\u2028'])
    client.send(`["EVENT",${raw}]`)
    assert.equal((await client.next())[2], true)
    const text = Promise.withResolvers<string>()
    client.socket.once('message', (data) => text.resolve(String(data)))
    client.send(['REQ', 'a', {}])
    assert.equal(await text.promise, `["EVENT","a",${raw}]`)
  })
})

describe('relay: REQ', { timeout: 30_000 }, () => {
  it('E-146 sends stored events newest first, ties by lowest id, since and until inclusive', async () => {
    await using peer = await realRelay()
    const events = many(60, (at) => ({ created_at: 1_000 + Math.floor(at / 3) }))
    await peer.store.put(events.map(asParsed))
    using client = await TestClient.connect(peer.url)
    assert.deepEqual(ids((await client.request('a', {})).events), ids(newestFirst(events)))
    const between = events.filter(({ created_at }) => created_at >= 1_005 && created_at <= 1_008)
    const { events: found } = await client.request('b', { since: 1_005, until: 1_008 })
    assert.deepEqual(ids(found), ids(newestFirst(between)))
  })

  it('E-146 merges filters without repeating an event, each with its own limit', async () => {
    await using peer = await realRelay()
    const events = many(40, (at) => ({ kind: [1, 7, 30][at % 3]! }))
    await peer.store.put(events.map(asParsed))
    using client = await TestClient.connect(peer.url)
    const byKind = (kind: number) => newestFirst(events.filter((event) => event.kind === kind))
    const wanted = newestFirst([
      ...new Set([...byKind(1).slice(0, 4), ...byKind(7), ...newestFirst(events).slice(0, 5)]),
    ])
    const { events: found } = await client.request(
      'a',
      { kinds: [1], limit: 4 },
      { kinds: [7] },
      { limit: 5 },
    )
    assert.deepEqual(ids(found), ids(wanted))
  })

  it('E-146 lowers a larger limit to max_limit, and takes default_limit without one', async () => {
    await using peer = await realRelay({ limits: { maxLimit: 20, defaultLimit: 7 } })
    await peer.store.put(many(50).map(asParsed))
    using client = await TestClient.connect(peer.url)
    assert.equal((await client.request('a', { limit: 30 })).events.length, 20)
    assert.equal((await client.request('b', {})).events.length, 7)
  })

  it('E-146 limit 0 and empty lists end at once, and limit 0 goes on live', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(3).map(asParsed))
    using client = await TestClient.connect(peer.url)
    assert.deepEqual(await client.ask(['REQ', 'none', { limit: 0 }]), ['EOSE', 'none'])
    assert.deepEqual(await client.ask(['REQ', 'empty', { ids: [] }]), ['EOSE', 'empty', ['finish']])
    const event = newAuthor().write()
    client.send(['EVENT', event])
    const frames = [await client.next(), await client.next()]
    assert.deepEqual(frames.map(([verb, name]) => [verb, name]).sort(), [
      ['EVENT', 'none'],
      ['OK', event.id],
    ])
  })

  it('E-151 EOSE says finish only when nothing was withheld', async () => {
    await using peer = await realRelay({ limits: { maxLimit: 20, defaultLimit: 20 } })
    await peer.store.put(many(20).map(asParsed))
    using client = await TestClient.connect(peer.url)
    const hint = async (...filters: object[]) => (await client.request('a', ...filters)).end[2]
    assert.deepEqual(await hint({}), ['finish'])
    assert.deepEqual(await hint({ limit: 20 }), ['finish'])
    assert.deepEqual(await hint({ limit: 19 }), ['more'])
    assert.deepEqual(await hint({ kinds: [5] }, { limit: 19 }), ['more'])
    assert.deepEqual(await hint({ kinds: [5] }, { limit: 20 }), ['finish'])
    await peer.store.put(many(21).slice(20).map(asParsed))
    assert.deepEqual(await hint({}), ['more'])
  })

  it('E-146 the same id replaces the subscription; CLOSE ends it', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const author = newAuthor()
    await client.request('a', { kinds: [1] })
    await client.request('a', { kinds: [7] })
    assert.equal(peer.relay.stats().subscriptions, 1)
    const [note, reaction] = [author.write(), author.write({ kind: 7 })]
    assert.equal((await client.ask(['EVENT', note]))[0], 'OK')
    client.send(['EVENT', reaction])
    const frames = [await client.next(), await client.next()]
    assert.deepEqual(frames.find(([verb]) => verb === 'EVENT')?.slice(0, 2), ['EVENT', 'a'])
    client.send(['CLOSE', 'a'])
    client.send(['CLOSE', 'unknown'])
    assert.equal((await client.ask(['EVENT', author.write({ kind: 7, content: 'later' })]))[0], 'OK')
    assert.equal(peer.relay.stats().subscriptions, 0)
  })

  it('E-146 loses and repeats nothing between stored and live while events pour in', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(400).map(asParsed))
    using client = await TestClient.connect(peer.url)
    const total = 2_000
    const pouring = (async () => {
      for (let at = 400; at < total; at += 20)
        await peer.store.put(
          many(at + 20)
            .slice(at)
            .map(asParsed),
        )
    })()
    const subscriptions = ['a', 'b', 'c', 'd', 'e', 'f']
    const got = new Map<string, string[]>(subscriptions.map((id) => [id, []]))
    for (const id of subscriptions)
      client.send(['REQ', id, { kinds: [1] }, { authors: [many(1)[0]!.pubkey], kinds: [1, 7] }])
    await pouring
    const last = newAuthor().write({ kind: 1, content: 'the end' })
    client.send(['EVENT', last])
    // On a busy machine a stored phase may begin after the end was published: then it is the first event of it.
    for (const open = new Map(subscriptions.map((id) => [id, new Set(['end', 'EOSE'])])); open.size > 0; ) {
      const frame = await client.next()
      const id = String(frame[1])
      if (frame[0] === 'EVENT') got.get(id)!.push(eventOf(frame).id)
      if (frame[0] === 'EVENT' && eventOf(frame).id === last.id) open.get(id)?.delete('end')
      if (frame[0] === 'EOSE') open.get(id)?.delete('EOSE')
      if (open.get(id)?.size === 0) open.delete(id)
    }
    for (const [id, list] of got) {
      assert.equal(new Set(list).size, list.length, `${id} got an event twice`)
      assert.ok(list.length >= 500, 'the stored phase and what came later')
      // Whatever was accepted after the newest 500 of the stored phase must be there, without a hole.
      const known = new Set(list)
      const positions = many(total).flatMap(({ id }, at) => (known.has(id) ? [at] : []))
      assert.deepEqual(
        positions,
        Array.from({ length: positions.length }, (_, at) => total - positions.length + at),
      )
    }
  })

  it('E-147 refuses unknown filter elements, bad ids and one subscription too many', async () => {
    await using peer = await realRelay({ limits: { maxSubscriptions: 2 } })
    using client = await TestClient.connect(peer.url)
    const refused = await client.ask(['REQ', 'a', { search: 'x' }])
    assert.deepEqual(refused.slice(0, 2), ['CLOSED', 'a'])
    assert.match(String(refused[2]), /^unsupported: /)
    assert.match(String((await client.ask(['REQ', '', {}]))[1]), /^invalid: /)
    await client.request('a', {})
    await client.request('b', {})
    assert.match(String((await client.request('c', {})).end[2]), /^blocked: /)
    assert.equal((await client.request('b', { kinds: [1] })).end[0], 'EOSE', 'replacing one is not one more')
    client.send(['CLOSE', 'a'])
    assert.equal((await client.request('c', {})).end[0], 'EOSE')
  })

  it('E-153 ephemeral events reach live readers and nothing else', async () => {
    await using peer = await realRelay()
    using reader = await TestClient.connect(peer.url)
    using writer = await TestClient.connect(peer.url)
    await reader.request('live', { kinds: [20_001] })
    const event = newAuthor().write({ kind: 20_001, content: 'now or never' })
    assert.deepEqual((await writer.ask(['EVENT', event])).slice(0, 3), ['OK', event.id, true])
    assert.equal(eventOf(await reader.next()).id, event.id)
    assert.deepEqual((await writer.request('a', { kinds: [20_001] })).events, [])
    assert.deepEqual((await writer.ask(['COUNT', 'a', { kinds: [20_001] }]))[2], { count: 0 })
  })

  it('E-143 what expires disappears from REQ and COUNT, and is refused afterwards', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const author = newAuthor()
    const expired = author.write({ tags: [['expiration', String(now() - 1)]] })
    const [, , accepted, reason] = await client.ask(['EVENT', expired])
    assert.equal(accepted, false)
    assert.match(String(reason), /^invalid: /)
    await peer.store.put([asParsed(author.write({ tags: [['expiration', String(now() - 10)]] }))])
    assert.deepEqual((await client.request('a', {})).events, [])
  })
})

describe('relay: COUNT', { timeout: 30_000 }, () => {
  it('E-152 counts distinct events over filters, whatever their limits', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(30, (at) => ({ kind: at % 2 === 0 ? 1 : 7 })).map(asParsed))
    using client = await TestClient.connect(peer.url)
    assert.deepEqual(await client.ask(['COUNT', 'a', { kinds: [1], limit: 2 }, { kinds: [1, 7] }]), [
      'COUNT',
      'a',
      { count: 30 },
    ])
  })

  it('K10 gives the fingerprint of the whole set, or of a stretch of time, beside its count', async () => {
    await using peer = await realRelay()
    await peer.store.put(many(30).map(asParsed))
    using client = await TestClient.connect(peer.url)
    for (const filter of [{}, { since: 1_010 }, { since: 1_003, until: 1_020 }]) {
      const expected = await peer.store.fingerprint(filter, { restrictedKinds: [], pubkeys: [] })
      assert.match(expected.fingerprint, /^[0-9a-f]{32}$/)
      assert.deepEqual(await client.ask(['COUNT', 'a', filter]), ['COUNT', 'a', expected])
    }
  })

  it('E-152 estimates the authors of what has one tag (NIP-45)', async () => {
    await using peer = await realRelay()
    const target = hexId('target')
    const events = many(12, (at) => ({ kind: 7, pubkey: hexId(`author ${at % 5}`), tags: [['e', target]] }))
    await peer.store.put(events.map(asParsed))
    using client = await TestClient.connect(peer.url)
    const [, , answer] = await client.ask(['COUNT', 'a', { '#e': [target], kinds: [7] }])
    const { count, hll } = answer as { count: number; hll: string }
    assert.equal(count, 12)
    assert.equal(hll.length, 512)
    assert.ok(Buffer.from(hll, 'hex').filter((register) => register > 0).length <= 5)
  })
})
