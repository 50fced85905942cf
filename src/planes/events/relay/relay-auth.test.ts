import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed } from '../../../../test/acceptance/event-arbitrary.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { negentropyDifference } from '../../../../test/peers/negentropy-client.ts'
import { type RealRelay, realRelay } from '../../../../test/peers/real-relay.ts'
import { eventOf, type Frame, TestClient } from '../../../../test/peers/test-client.ts'
import type { NostrEvent } from '../event.ts'

const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id).sort()

/** A connection of its own, with its challenge. */
async function challenged(peer: RealRelay): Promise<{ client: TestClient; challenge: string }> {
  const client = await TestClient.connect(peer.url)
  const [verb, challenge] = await client.next()
  assert.equal(verb, 'AUTH')
  return { client, challenge: String(challenge) }
}

const verdict = (frame: Frame): [unknown, string] => [frame[2], String(frame[3])]

describe('relay: AUTH (NIP-42)', { timeout: 30_000 }, () => {
  it('E-148 challenges each connection differently, at open when asked to, else with the first refusal', async () => {
    await using open = await realRelay({ challenge: 'open' })
    const [one, other] = [await challenged(open), await challenged(open)]
    assert.notEqual(one.challenge, other.challenge)
    assert.ok(one.challenge.length >= 32)
    one.client[Symbol.dispose]()
    other.client[Symbol.dispose]()
    await using lazy = await realRelay()
    using client = await TestClient.connect(lazy.url)
    assert.equal((await client.ask(['REQ', 'public', {}]))[0], 'EOSE')
    client.send(['REQ', 'wraps', { kinds: [1059] }])
    const frames = [await client.next(), await client.next()]
    assert.deepEqual(
      frames.map(([verb]) => verb),
      ['AUTH', 'CLOSED'],
    )
    assert.match(String(frames[1]![2]), /^auth-required: /)
    client.send(['REQ', 'wraps', { kinds: [1059] }])
    assert.equal((await client.next())[0], 'CLOSED', 'one challenge stays valid')
  })

  it('E-148 refuses a wrong kind, time, challenge, relay or signature, each for itself', async () => {
    await using peer = await realRelay({ challenge: 'open' })
    const author = newAuthor()
    const { client, challenge } = await challenged(peer)
    using _ = client
    const { write, authenticate } = author
    const good = authenticate(peer.url, challenge)
    const forged = { ...good, sig: authenticate(peer.url, challenge, { content: 'x' }).sig }
    const old = { created_at: Math.floor(Date.now() / 1_000) - 700 }
    const cases: readonly [string, object, RegExp][] = [
      ['kind', write({ ...good, kind: 1 }), /^invalid: .*kind/],
      ['time', authenticate(peer.url, challenge, old), /^invalid: .*created_at/],
      ['challenge', authenticate(peer.url, 'other'), /^invalid: .*challenge/],
      ['relay', authenticate('wss://other.example', challenge), /^invalid: .*relay/],
      ['signature', forged, /^invalid: .*signature/],
      ['id', { ...good, content: 'changed' }, /^invalid: .*id/],
      ['shape', { ...good, tags: 'none' }, /^invalid: .*tags/],
    ]
    for (const [what, event, reason] of cases) {
      const [accepted, text] = verdict(await client.ask(['AUTH', event]))
      assert.equal(accepted, false, what)
      assert.match(text, reason)
    }
    assert.equal((await client.ask(['REQ', 'a', { kinds: [1059] }]))[0], 'CLOSED', 'still nobody')
    assert.deepEqual(verdict(await client.ask(['AUTH', good])), [true, ''])
  })

  it('accepts the addresses of this machine, and of the configuration when there is one', async () => {
    await using peer = await realRelay({ challenge: 'open' })
    const { client, challenge } = await challenged(peer)
    using _ = client
    const localhost = peer.url.replace('127.0.0.1', 'localhost')
    assert.equal(verdict(await client.ask(['AUTH', newAuthor().authenticate(localhost, challenge)]))[0], true)
    await using known = await realRelay({ challenge: 'open', relayUrls: ['wss://relay.example.com'] })
    const session = await challenged(known)
    using __ = session.client
    const { authenticate } = newAuthor()
    const to = async (relay: string) =>
      verdict(await session.client.ask(['AUTH', authenticate(relay, session.challenge)]))[0]
    assert.equal(await to('wss://relay.example.com/'), true)
    assert.equal(await to(known.url), false)
  })

  it('never takes an AUTH event by EVENT', async () => {
    await using peer = await realRelay({ challenge: 'open' })
    const { client, challenge } = await challenged(peer)
    using _ = client
    const [accepted, reason] = verdict(
      await client.ask(['EVENT', newAuthor().authenticate(peer.url, challenge)]),
    )
    assert.equal(accepted, false)
    assert.match(reason, /^(invalid|blocked): /)
  })
})

describe('relay: protected events (NIP-70)', { timeout: 30_000 }, () => {
  it('E-145 takes them from their author alone', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const [alice, bob] = [newAuthor(), newAuthor()]
    const event = alice.write({ tags: [['-']] })
    const [challenge, refusal] = [await client.ask(['EVENT', event]), await client.next()]
    assert.equal(challenge[0], 'AUTH')
    assert.match(verdict(refusal)[1], /^auth-required: /)
    assert.equal(
      verdict(await client.ask(['AUTH', bob.authenticate(peer.url, String(challenge[1]))]))[0],
      true,
    )
    assert.match(verdict(await client.ask(['EVENT', event]))[1], /^restricted: /)
    // Both frames at once: the event counts as published after the AUTH.
    client.send(['AUTH', alice.authenticate(peer.url, String(challenge[1]))])
    client.send(['EVENT', event])
    assert.deepEqual(verdict(await client.next()), [true, ''])
    assert.deepEqual(verdict(await client.next()), [true, ''])
    const again = bob.write({ tags: [['-']] })
    assert.equal(verdict(await client.ask(['EVENT', again]))[0], true, 'E-148 both keys count')
  })
})

describe('N8 restricted kinds', { timeout: 30_000 }, () => {
  interface World {
    readonly peer: RealRelay
    readonly author: Author
    readonly recipient: Author
    readonly wrap: NostrEvent
    readonly foreign: NostrEvent
    readonly note: NostrEvent
  }

  async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
    await using peer = await realRelay({ challenge: 'open' })
    const [author, recipient, third] = [newAuthor(), newAuthor(), newAuthor()]
    const wrap = author.write({ kind: 1059, tags: [['p', recipient.pubkey]] })
    const foreign = author.write({ kind: 1059, tags: [['p', third.pubkey]] })
    const note = author.write({ tags: [['p', recipient.pubkey]] })
    await peer.store.put([wrap, foreign, note].map(asParsed))
    await test({ peer, author, recipient, wrap, foreign, note })
  }

  async function as(peer: RealRelay, author: Author | undefined): Promise<TestClient> {
    const { client, challenge } = await challenged(peer)
    if (author !== undefined)
      assert.equal(verdict(await client.ask(['AUTH', author.authenticate(peer.url, challenge)]))[0], true)
    return client
  }

  it('E-149 REQ shows them to their author and recipients, and hides them in mixed requests', () =>
    withWorld(async ({ peer, author, recipient, wrap, foreign, note }) => {
      using nobody = await as(peer, undefined)
      assert.deepEqual(ids((await nobody.request('mixed', { kinds: [1, 1059] })).events), [note.id])
      assert.deepEqual(ids((await nobody.request('all', {})).events), [note.id])
      assert.deepEqual(ids((await nobody.request('by id', { ids: [wrap.id] })).events), [])
      assert.match(String((await nobody.request('only', { kinds: [1059] })).end[2]), /^auth-required: /)
      using reader = await as(peer, recipient)
      assert.deepEqual(ids((await reader.request('only', { kinds: [1059] })).events), [wrap.id])
      using writer = await as(peer, author)
      assert.deepEqual(ids((await writer.request('only', { kinds: [1059] })).events), ids([wrap, foreign]))
    }))

  it('E-149 COUNT counts them for their author and recipients alone', () =>
    withWorld(async ({ peer, author, recipient }) => {
      using nobody = await as(peer, undefined)
      assert.match(String((await nobody.ask(['COUNT', 'a', { kinds: [1059] }]))[2]), /^auth-required: /)
      const total = async (client: TestClient) =>
        ((await client.ask(['COUNT', 'a', {}]))[2] as { count: number }).count
      assert.equal(await total(nobody), 1)
      using reader = await as(peer, recipient)
      assert.equal(await total(reader), 2)
      using writer = await as(peer, author)
      assert.equal(await total(writer), 3)
      assert.deepEqual((await writer.ask(['COUNT', 'a', { kinds: [1059] }]))[2], { count: 2 })
    }))

  it('E-123 a negentropy set never holds them for others, with or without kinds in the filter', () =>
    withWorld(async ({ peer, author, recipient, wrap, foreign, note }) => {
      using nobody = await as(peer, undefined)
      const refused = await nobody.ask(['NEG-OPEN', 'n', { kinds: [1059] }, '6100000200'])
      assert.deepEqual(refused.slice(0, 2), ['NEG-ERR', 'n'])
      assert.match(String(refused[2]), /^auth-required: /)
      assert.deepEqual((await negentropyDifference(nobody, {}, [])).need, [note.id])
      assert.deepEqual((await negentropyDifference(nobody, { kinds: [1, 1059] }, [])).need, [note.id])
      assert.deepEqual((await negentropyDifference(nobody, { ids: [wrap.id] }, [])).need, [])
      using reader = await as(peer, recipient)
      assert.deepEqual(
        ids((await negentropyDifference(reader, {}, [])).need.map((id) => ({ id }))),
        ids([wrap, note]),
      )
      using writer = await as(peer, author)
      assert.deepEqual(
        (await negentropyDifference(writer, {}, [])).need.toSorted(),
        ids([wrap, foreign, note]),
      )
    }))

  it('E-149 live shows them to those who may read them', () =>
    withWorld(async ({ peer, author, recipient }) => {
      using nobody = await as(peer, undefined)
      using reader = await as(peer, recipient)
      for (const client of [nobody, reader]) await client.request('live', { kinds: [1, 1059], limit: 0 })
      const wrap = author.write({ kind: 1059, tags: [['p', recipient.pubkey]], content: 'psst' })
      const note = author.write({ content: 'hello' })
      using writer = await as(peer, undefined)
      for (const event of [wrap, note]) assert.equal(verdict(await writer.ask(['EVENT', event]))[0], true)
      assert.equal(eventOf(await nobody.next()).id, note.id)
      assert.deepEqual([eventOf(await reader.next()).id, eventOf(await reader.next()).id], [wrap.id, note.id])
    }))
})
