import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed } from '../../../../test/acceptance/event-arbitrary.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { negentropyDifference } from '../../../../test/peers/negentropy-client.ts'
import { type RealRelay, realRelay } from '../../../../test/peers/real-relay.ts'
import { eventOf, TestClient } from '../../../../test/peers/test-client.ts'
import type { Filter } from '../filter.ts'
import type { Capability } from '../policy/acl.ts'

const protectedFilters = [{ kinds: [5000] }]
const reader = newAuthor()
const stranger = newAuthor()
const secret = stranger.write({ kind: 5000, content: 'secret' })
const note = stranger.write({ kind: 1 })

async function setup() {
  const peer = await realRelay({ challenge: 'open', protectedFilters })
  await peer.store.put([secret, note].map(asParsed))
  return peer
}

async function as(peer: RealRelay, author?: Author): Promise<TestClient> {
  const client = await TestClient.connect(peer.url)
  const [, challenge] = await client.next()
  if (author !== undefined) {
    const answer = await client.ask(['AUTH', author.authenticate(peer.url, String(challenge))])
    assert.equal(answer[2], true)
  }
  return client
}

const grant = ({ acl }: RealRelay, capability: Capability, match: Filter = { kinds: [5000] }) =>
  acl.grant({ principal_type: 'pubkey', principal: reader.pubkey, capability, match })

describe('relay: what is protected', { timeout: 30_000 }, () => {
  it('E-81 is refused over REQ, COUNT and negentropy alike, and answered to who was granted it', async () => {
    await using peer = await setup()
    await grant(peer, 'sync_read')
    const asking = [
      ['REQ', 'a', { kinds: [5000] }],
      ['REQ', 'a', {}],
      ['COUNT', 'a', { kinds: [1, 5000] }],
      ['NEG-OPEN', 'a', { kinds: [5000] }, '6100000200'],
    ] as const
    using nobody = await as(peer)
    using other = await as(peer, stranger)
    for (const frame of asking) {
      assert.match(String((await nobody.ask(frame))[2]), /^auth-required: /, frame.join())
      assert.match(String((await other.ask(frame))[2]), /^restricted: sync_read_not_allowed/, frame.join())
    }
    assert.deepEqual(
      (await nobody.request('a', { kinds: [1] })).events.map(({ id }) => id),
      [note.id],
    )
    using client = await as(peer, reader)
    assert.deepEqual(
      (await client.request('a', { kinds: [5000] })).events.map(({ id }) => id),
      [secret.id],
    )
    assert.deepEqual((await client.ask(['COUNT', 'a', { kinds: [5000] }]))[2], { count: 1 })
    assert.deepEqual((await negentropyDifference(client, { kinds: [5000] }, [])).need, [secret.id])
    assert.match(String((await client.ask(['REQ', 'b', {}]))[2]), /^restricted: /)
  })

  it('by id, what may not be seen is not there: so a peer can fetch what negentropy told it of', async () => {
    await using peer = await setup()
    await grant(peer, 'sync_read')
    const filter = { ids: [secret.id, note.id] }
    const seen = async (client: TestClient) => [
      (await client.request('a', filter)).events.length,
      ((await client.ask(['COUNT', 'a', filter]))[2] as { count: number }).count,
      (await negentropyDifference(client, filter, [])).need.length,
    ]
    using nobody = await as(peer)
    assert.deepEqual(await seen(nobody), [1, 1, 1])
    using client = await as(peer, reader)
    assert.deepEqual(await seen(client), [2, 2, 2])
  })

  it('goes live to who may read it, and stops with the grant', async () => {
    await using peer = await setup()
    await grant(peer, 'sync_read')
    await grant(peer, 'sync_write')
    using live = await as(peer, reader)
    using open = await as(peer)
    await live.request('live', { kinds: [5000], limit: 0 })
    await open.request('notes', { kinds: [1], limit: 0 })
    using writer = await as(peer, reader)
    const [first, second, public1] = [
      reader.write({ kind: 5000, content: '1' }),
      reader.write({ kind: 5000, content: '2' }),
      reader.write({ content: 'for all' }),
    ]
    assert.equal((await writer.ask(['EVENT', first]))[2], true)
    assert.equal(eventOf(await live.next()).id, first.id)
    await live.ask(['NEG-OPEN', 'n', { kinds: [5000] }, '6100000200'])
    const revoked = { principal_type: 'pubkey', principal: reader.pubkey, capability: 'sync_read' } as const
    assert.equal(await peer.acl.revoke({ ...revoked, match: { kinds: [5000] } }), true)
    const ended = [await live.next(), await live.next()]
    assert.match(ended.map(String).join(), /CLOSED,live,restricted: .*NEG-ERR,n,closed: /)
    for (const event of [second, public1]) assert.equal((await writer.ask(['EVENT', event]))[2], true)
    assert.equal(eventOf(await open.next()).id, public1.id, 'what is not protected goes on')
    assert.deepEqual(await live.settled(), [])
  })

  it('is written by those who were granted it', async () => {
    await using peer = await setup()
    const event = stranger.write({ kind: 5000, content: 'new' })
    using nobody = await as(peer)
    assert.match(String((await nobody.ask(['EVENT', event]))[3]), /^auth-required: auth_required/)
    using client = await as(peer, reader)
    assert.match(String((await client.ask(['EVENT', event]))[3]), /^restricted: sync_write_not_allowed/)
    await grant(peer, 'sync_write')
    assert.equal((await client.ask(['EVENT', event]))[2], true)
  })

  it('E-81 pages ask the same', async () => {
    await using peer = await setup()
    await grant(peer, 'sync_read')
    const page = async (...authenticatedPubkeys: string[]) => {
      const context = { caller: 'websocket', authenticatedPubkeys } as const
      const result = await peer.bulk.pageEvents({ kinds: [5000] }, { context })
      return result.ok ? result.value.events.map(({ id }) => id) : result.error
    }
    assert.equal(await page(), 'auth_required')
    assert.equal(await page(stranger.pubkey), 'sync_read_not_allowed')
    assert.deepEqual(await page(reader.pubkey), [secret.id])
    const all = await peer.bulk.pageEvents({ ids: [secret.id, note.id] }, { context: { caller: 'local' } })
    assert.ok(all.ok)
    assert.deepEqual([all.value.events.map(({ id }) => id), all.value.rawCount], [[note.id], 2])
  })

  it('a relay for authenticated readers says so, to all requests', async () => {
    await using peer = await realRelay({ challenge: 'open', readAccess: 'authenticated' })
    using nobody = await as(peer)
    for (const verb of ['REQ', 'COUNT'] as const)
      assert.match(String((await nobody.ask([verb, 'a', {}]))[2]), /^auth-required: /)
    using client = await as(peer, reader)
    assert.equal((await client.request('a', {})).end[0], 'EOSE')
  })
})
