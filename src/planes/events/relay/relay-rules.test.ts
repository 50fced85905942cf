import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { negentropyDifference } from '../../../../test/peers/negentropy-client.ts'
import { type RealRelay, type RealRelayOptions, realRelay } from '../../../../test/peers/real-relay.ts'
import { TestClient } from '../../../../test/peers/test-client.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'

interface World extends AsyncDisposable {
  readonly peer: RealRelay
  readonly client: TestClient
}

async function world(options: RealRelayOptions = {}): Promise<World> {
  const peer = await realRelay({ syncPage: 'open', challenge: 'open', ...options })
  const { client } = await reader(peer)
  return {
    peer,
    client,
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]()
      await peer[Symbol.asyncDispose]()
    },
  }
}

/** A connection, with the challenge it was greeted with. */
async function reader(peer: RealRelay): Promise<{ client: TestClient; challenge: string }> {
  const client = await TestClient.connect(peer.url)
  return { client, challenge: String((await client.next())[1]) }
}

/** What the relay shows of the filter: by REQ, COUNT, negentropy, SYNC-PAGE and pages, which must all say the same. */
async function shown({ peer, client }: World, filter: Filter = {}, ...pubkeys: string[]): Promise<string[]> {
  const { events } = await client.request('rules', filter)
  client.send(['CLOSE', 'rules'])
  const ids = events.map(({ id }) => id).sort()
  const [, , { count }] = (await client.ask(['COUNT', 'rules', filter])) as [
    unknown,
    unknown,
    { count: number },
  ]
  const { need } = await negentropyDifference(client, filter, [])
  const [, , page] = await client.ask(['SYNC-PAGE', 'rules', filter])
  const context = { caller: 'websocket', authenticatedPubkeys: pubkeys } as const
  const local = await peer.bulk.pageEvents(filter, { context })
  assert.ok(local.ok, JSON.stringify(local))
  assert.equal(count, ids.length, 'COUNT')
  assert.deepEqual(need.sort(), ids, 'negentropy')
  assert.deepEqual((page as { events: NostrEvent[] }).events.map(({ id }) => id).sort(), ids, 'SYNC-PAGE')
  assert.deepEqual(local.value.events.map(({ id }) => id).sort(), ids, 'pages')
  return ids
}

const publish = async ({ client }: World, event: NostrEvent): Promise<string> => {
  const [, , accepted, reason] = await client.ask(['EVENT', event])
  return accepted === true ? 'accepted' : String(reason)
}

/** As a peer of a sync brings it. */
async function bring({ peer }: World, event: NostrEvent): Promise<string> {
  const result = await peer.bulk.importEvents([event], { context: { caller: 'sync', remote: 'wss://peer/' } })
  assert.ok(result.ok)
  return result.value.results[0]!.outcome
}

const ids = (...events: readonly NostrEvent[]) => events.map(({ id }) => id).sort()

describe('rules of a relay, through every door', { timeout: 120_000 }, () => {
  it('E-141 the winner of a replaceable does not depend on the order of arrival, nor on the door', async () => {
    const author = newAuthor(() => 1_000)
    const versions = [
      author.write({ kind: 0, content: 'a' }),
      author.write({ kind: 0, content: 'b' }),
      author.write({ kind: 0, content: 'c', created_at: 999 }),
      author.write({ kind: 30_023, content: 'no d' }),
      author.write({ kind: 30_023, content: 'empty d', tags: [['d', '']] }),
      author.write({ kind: 30_023, content: 'other d', tags: [['d', 'x']] }),
    ]
    const lowest = (...of: NostrEvent[]) => of.toSorted((a, b) => (a.id < b.id ? -1 : 1))[0]!
    const winners = ids(lowest(versions[0]!, versions[1]!), lowest(versions[3]!, versions[4]!), versions[5]!)
    const orders = fc.shuffledSubarray(versions, { minLength: versions.length })
    const doors = fc.array(fc.boolean(), { minLength: versions.length, maxLength: versions.length })
    await fc.assert(
      fc.asyncProperty(orders, doors, async (order, bySync) => {
        await using one = await world()
        for (const [at, event] of order.entries())
          await (bySync[at] ? bring(one, event) : publish(one, event))
        assert.deepEqual(await shown(one), winners)
      }),
      { numRuns: 5 },
    )
  })

  it('E-142 deletes for the author alone, before or after the event comes, and spares what is newer', async () => {
    await using one = await world()
    const [author, stranger] = [newAuthor(() => 1_000), newAuthor(() => 1_000)]
    const note = author.write({ content: 'note' })
    const later = author.write({ content: 'comes later' })
    const [old, fresh] = [1_000, 2_000].map((at) =>
      author.write({ kind: 30_023, created_at: at, tags: [['d', 'x']] }),
    ) as [NostrEvent, NostrEvent]
    const address = `30023:${author.pubkey}:x`
    const byStranger = stranger.write({ kind: 5, tags: [['e', note.id]] })
    const byAuthor = author.write({
      kind: 5,
      created_at: 1_500,
      tags: [
        ['e', note.id],
        ['e', later.id],
        ['a', address],
      ],
    })
    const ofDeletion = author.write({ kind: 5, created_at: 1_600, tags: [['e', byAuthor.id]] })
    for (const event of [note, old, byStranger]) assert.equal(await publish(one, event), 'accepted')
    assert.deepEqual(await shown(one), ids(note, old, byStranger))
    assert.equal(await publish(one, byAuthor), 'accepted')
    assert.equal(await publish(one, ofDeletion), 'accepted')
    for (const event of [note, later, old]) {
      assert.match(await publish(one, event), /^blocked: /)
      assert.equal(await bring(one, event), 'deleted')
    }
    assert.equal(await publish(one, fresh), 'accepted')
    assert.deepEqual(await shown(one), ids(byStranger, byAuthor, ofDeletion, fresh))
  })

  it('E-143 what expires is gone from every door at that second', async () => {
    const clock = new FakeClock(1_000_000)
    await using one = await world({ clock })
    const author = newAuthor(() => 1_000)
    const expiring = author.write({ tags: [['expiration', '1010']] })
    const note = author.write()
    for (const event of [expiring, note]) assert.equal(await publish(one, event), 'accepted')
    await clock.advance(9_000)
    assert.deepEqual(await shown(one), ids(expiring, note))
    assert.deepEqual(await shown(one, { kinds: [1] }), ids(expiring, note))
    await clock.advance(1_000)
    assert.deepEqual(await shown(one), ids(note))
    assert.deepEqual(await shown(one, { kinds: [1] }), ids(note))
    assert.equal(
      await publish(one, author.write({ tags: [['expiration', '1010']], content: 'late' })),
      'invalid: event expired',
    )
  })

  it('E-144 vanishing takes everything up to its time, and no door brings it back', async () => {
    const relayUrls = ['wss://relay.example/']
    await using one = await world({ relayUrls })
    const [author, friend] = [newAuthor(() => 1_000), newAuthor(() => 1_000)]
    const target = author.write({ content: 'x' })
    const own = [target, author.write({ kind: 5, tags: [['e', 'ab'.repeat(32)]] })]
    const wrap = friend.write({ kind: 1059, tags: [['p', author.pubkey]] })
    const kept = friend.write({ content: 'kept' })
    const elsewhere = author.write({ kind: 62, created_at: 2_000, tags: [['relay', 'wss://other.example/']] })
    for (const event of [...own, kept]) assert.equal(await publish(one, event), 'accepted')
    assert.equal(await bring(one, wrap), 'stored')
    assert.match(await publish(one, elsewhere), /^blocked: /)
    assert.deepEqual(await shown(one), ids(...own, kept))
    const vanish = author.write({ kind: 62, created_at: 1_500, tags: [['relay', 'wss://relay.example']] })
    assert.equal(await publish(one, vanish), 'accepted')
    assert.deepEqual(await shown(one), ids(kept, vanish))
    for (const event of [...own, wrap]) {
      assert.match(await publish(one, event), /^blocked: /)
      assert.equal(await bring(one, event), 'vanished')
    }
    const after = author.write({ created_at: 1_501 })
    assert.equal(await publish(one, after), 'accepted')
    const all = friend.write({ kind: 62, created_at: 3_000, tags: [['relay', 'ALL_RELAYS']] })
    assert.equal(await bring(one, all), 'stored')
    assert.deepEqual(await shown(one), ids(vanish, after, all))
  })

  it('E-149 private kinds show to their author and recipients, through every door', async () => {
    await using one = await world({ restrictedKinds: [4, 1059] })
    const [author, recipient, third] = [newAuthor(), newAuthor(), newAuthor()]
    const to = (kind: number, by: Author) => author.write({ kind, tags: [['p', by.pubkey]] })
    const [letter, wrap, foreign, note] = [
      to(4, recipient),
      to(1059, recipient),
      to(4, third),
      author.write(),
    ]
    for (const event of [letter, wrap, foreign, note]) assert.equal(await bring(one, event), 'stored')
    assert.deepEqual(await shown(one), ids(note))
    assert.deepEqual(await shown(one, { ids: ids(letter, wrap, note) }), ids(note))
    const as = async (by: Author): Promise<World> => {
      const { client, challenge } = await reader(one.peer)
      assert.equal((await client.ask(['AUTH', by.authenticate(one.peer.url, challenge)]))[2], true)
      return { ...one, client }
    }
    const both = { kinds: [4, 1059] }
    assert.deepEqual(await shown(await as(recipient), both, recipient.pubkey), ids(letter, wrap))
    assert.deepEqual(await shown(await as(third), {}, third.pubkey), ids(foreign, note))
    assert.deepEqual(await shown(await as(author), both, author.pubkey), ids(letter, wrap, foreign))
  })

  it('E-153 ephemeral events reach live readers, and no door shows them afterwards', async () => {
    await using one = await world()
    const { client: live } = await reader(one.peer)
    using _ = live
    await live.request('live', { kinds: [20_001] })
    const author = newAuthor()
    const [published, brought] = [
      author.write({ kind: 20_001 }),
      author.write({ kind: 20_001, content: '2' }),
    ]
    assert.equal(await publish(one, published), 'accepted')
    assert.equal(await bring(one, brought), 'ephemeral')
    const got = [await live.next(), await live.next()].map(([, , event]) => (event as NostrEvent).id)
    assert.deepEqual(got, [published.id, brought.id])
    assert.deepEqual(await shown(one), [])
    assert.deepEqual(await shown(one, { ids: [published.id] }), [])
  })
})
