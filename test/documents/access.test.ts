import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePermission, read } from '../../src/planes/documents/auth/permission.ts'
import type { DatabaseId } from '../../src/planes/documents/entry/entry-id.ts'
import { syncDisabled, syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { alice, bob, carol, configure, grant, withKeys } from '../helpers/document-keys.ts'
import { type SyncPeer, syncWorld } from '../helpers/document-network.ts'
import { keyNumber, notes, put } from '../helpers/document-world.ts'

const write10 = parsePermission('write:10')

/** A database of Alice at the first peer, shared unless said otherwise. */
async function shared(peer: SyncPeer, settings = syncEnabled) {
  const database = await peer.instance.createDatabase({ key: alice })
  await put(database, 'secret', 'value')
  await peer.sync.setSyncSettings(database.id, settings)
  return database
}

async function holdsNothing(peer: SyncPeer, tree: DatabaseId): Promise<void> {
  assert.ok(!(await peer.instance.databases()).includes(tree))
}

describe('access to a shared database', () => {
  it('D-104 D-105 a database that is not shared answers as one that does not exist', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const hidden = await shared(a, syncDisabled)
    b.sync.setAccessKey(hidden.id, alice)
    const unknown = (await b.instance.createDatabase({ key: bob })).id
    const messages = new Set<string>()
    for (const tree of [hidden.id, unknown]) {
      await assert.rejects(b.sync.syncWithPeer(a.address, tree), (error: Error) => {
        messages.add(error.message)
        return 'code' in error && error.code === 'document/peer-not-found'
      })
      const ticket = { database: tree, addresses: [a.address] }
      await assert.rejects(b.sync.requestAccess(ticket, { key: bob, name: 'b', permission: read }), {
        code: 'document/peer-not-found',
      })
    }
    assert.equal(messages.size, 1, 'not even the words differ')
    await a.sync.setSyncSettings(hidden.id, syncEnabled)
    await b.sync.syncWithPeer(a.address, hidden.id)
    await a.sync.setSyncSettings(hidden.id, syncDisabled)
    await put(hidden, 'later', 'value')
    await assert.rejects(b.sync.syncWithPeer(a.address, hidden.id), { code: 'document/peer-not-found' })
  })

  it('D-106 D-108 without a grant nothing is served, whoever signs', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await shared(a)
    for (const key of [undefined, bob]) {
      b.sync.setAccessKey(database.id, key)
      await assert.rejects(b.sync.syncWithPeer(a.address, database.id), { code: 'document/peer-denied' })
      await holdsNothing(b, database.id)
    }
    assert.deepEqual(await b.sync.discoverTrees(a.instance.id), [])
    assert.deepEqual(a.sync.peers.peers(), [], 'D-78 nobody who was refused is remembered')
  })

  it('D-78 a peer that only said hello is nobody to push to', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    await shared(a)
    await b.sync.connect(a.address)
    assert.deepEqual(a.sync.peers.peers(), [])
    assert.equal(b.sync.peers.peers().length, 1)
  })

  it('D-108 a database without keys, and one that everybody may read, are served without a grant', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const open = await a.instance.createDatabase({})
    const global = await shared(a)
    await configure(global, (settings) => settings.setGlobal(grant('read')))
    await a.sync.setSyncSettings(open.id, syncEnabled)
    for (const { id } of [open, global]) await b.sync.syncWithPeer(a.address, id)
    assert.deepEqual(await notes(await b.instance.database(global.id)), { secret: 'value' })
  })

  it('D-109 D-113 D-116 a request waits with exactly what was asked, and approval lets the key in', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await shared(a)
    const ticket = a.sync.createTicket(database.id)
    const metadata = Buffer.from('please')
    const wish = { key: bob, name: 'bob', permission: write10, metadata }
    await assert.rejects(b.sync.bootstrapWithTicket(ticket, wish), { code: 'document/access-pending' })
    await b.sync.requestAccess(ticket, wish)
    const [request, ...more] = a.sync.access.list()
    assert.deepEqual(more, [], 'an identical repeat is the same request')
    assert.equal(request!.key, bob.publicKey)
    assert.equal(request!.device, b.instance.id)
    assert.equal(request!.permission, 'write:10')
    assert.deepEqual([request!.tree, request!.name, request!.status], [database.id, 'bob', 'pending'])
    assert.equal(Buffer.from(request!.metadata!, 'base64').toString(), 'please')
    await holdsNothing(b, database.id)

    const decided = await a.sync.access.approve(request!.id, alice)
    assert.equal(decided.status, 'approved')
    assert.equal(decided.decision!.by, alice.publicKey)
    const { keys } = await database.auth()
    assert.deepEqual(keys.get(bob.publicKey), { permission: write10, status: 'active', name: 'bob' })
    await b.sync.syncWithTicket(ticket)
    const copy = await b.instance.database(database.id, { key: bob })
    await put(copy, 'bob', 'was here')
    await b.sync.syncWithTicket(ticket)
    assert.deepEqual(await notes(database), { secret: 'value', bob: 'was here' })
  })

  it('D-113 D-114 what was decided stays so, and only an admin decides', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await withKeys(a.instance, [[carol, 'write:0']])
    await a.sync.setSyncSettings(database.id, syncEnabled)
    const ticket = a.sync.createTicket(database.id)
    await b.sync.requestAccess(ticket, { key: bob, name: 'bob', permission: read })
    const { access } = a.sync
    const { id } = access.list('pending')[0]!
    await assert.rejects(access.approve(id, carol), { code: 'document/permission-denied' })
    await assert.rejects(access.reject(id, carol), { code: 'document/permission-denied' })
    await access.reject(id, alice)
    await assert.rejects(access.approve(id, alice), { code: 'document/access-request', message: /rejected/ })
    await assert.rejects(access.reject('nobody', alice), { code: 'document/access-request' })
    assert.equal((await database.auth()).keys.has(bob.publicKey), false)
    await assert.rejects(b.sync.syncWithTicket(ticket), { code: 'document/peer-denied' })
    await a.restart()
    assert.equal(a.sync.access.get(id)!.status, 'rejected', 'it is kept')
  })

  it('D-110 D-111 what a key has already needs no request, and no more than it has', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await shared(a)
    await configure(database, (settings) => settings.setGlobal(grant('write:10')))
    const ticket = a.sync.createTicket(database.id)
    const before = (await database.auth()).keys.size
    const ask = (permission: string) =>
      b.sync.requestAccess(ticket, { key: bob, name: 'bob', permission: parsePermission(permission) })
    for (const enough of ['read', 'write:10', 'write:15']) assert.equal((await ask(enough)).status, 'granted')
    assert.deepEqual(a.sync.access.list(), [])
    for (const more of ['write:5', 'admin:5']) assert.equal((await ask(more)).status, 'pending')
    assert.equal((await database.auth()).keys.size, before)
  })

  it('D-111 of a direct and a global grant the higher counts, and no key is added', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await withKeys(a.instance, [
      [bob, 'write:5', 'bob'],
      [carol, 'read', 'carol'],
    ])
    await configure(database, (settings) => settings.setGlobal(grant('write:10')))
    await a.sync.setSyncSettings(database.id, syncEnabled)
    const ticket = a.sync.createTicket(database.id)
    const before = [...(await database.auth()).keys]
    const ask = async (key: typeof bob, permission: string) =>
      (await b.sync.requestAccess(ticket, { key, name: 'me', permission: parsePermission(permission) }))
        .status
    assert.deepEqual([await ask(bob, 'write:5'), await ask(bob, 'write:4')], ['granted', 'pending'])
    assert.deepEqual([await ask(carol, 'write:10'), await ask(carol, 'write:9')], ['granted', 'pending'])
    assert.deepEqual([...(await database.auth()).keys], before)
  })

  it('D-112 a key known through another database is let in within bounds, and no longer once it is revoked', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const team = await withKeys(a.instance, [[bob, 'admin:0']])
    const database = await shared(a)
    const tips = await team.tips()
    await configure(database, (settings) =>
      settings.addDelegation(team.id, { bounds: { max: write10 }, tips }),
    )
    const ticket = a.sync.createTicket(database.id)
    const ask = async (permission: string) => {
      const wish = { key: bob, name: 'bob', permission: parsePermission(permission) }
      return (await b.sync.requestAccess(ticket, wish)).status
    }
    assert.equal(await ask('write:10'), 'granted')
    assert.equal(await ask('admin:0'), 'pending')
    await b.sync.syncWithTicket(ticket)
    await configure(team, (settings) => settings.revokeKey(bob.publicKey))
    assert.equal(await ask('read'), 'pending')
    await assert.rejects(b.sync.syncWithTicket(ticket), { code: 'document/peer-denied' })
  })

  it('D-115 a policy lets in at once, as far as it says', async () => {
    const accessPolicy = { approver: alice, decide: () => read }
    await using world = await syncWorld(2, { accessPolicy })
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await shared(a)
    const wish = { key: bob, name: 'bob', permission: parsePermission('admin:0') }
    await b.sync.bootstrapWithTicket(a.sync.createTicket(database.id), wish)
    assert.deepEqual((await database.auth()).keys.get(bob.publicKey)!.permission, read)
    assert.deepEqual(await notes(await b.instance.database(database.id)), { secret: 'value' })
  })

  it('D-116 requests that wait are bounded, per key and in all', async () => {
    await using world = await syncWorld(2, { accessLimits: { pending: 3, pendingPerKey: 2 } })
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const ticket = a.sync.createTicket((await shared(a)).id)
    const ask = (n: number, name: string) =>
      b.sync.requestAccess(ticket, { key: keyNumber(n), name, permission: read })
    await ask(10, 'one')
    await ask(10, 'two')
    await assert.rejects(ask(10, 'three'), { code: 'document/peer-refused', message: /busy/ })
    await ask(11, 'one')
    await assert.rejects(ask(12, 'one'), { code: 'document/peer-refused', message: /busy/ })
    assert.equal(a.sync.access.list().length, 3)
  })
})
