import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import type { TransportBuilder } from '../../src/planes/documents/sync/transport/sync-transport.ts'
import { syncDisabled, syncEnabled, syncOnCommit } from '../../src/planes/documents/users/sync-settings.ts'
import { Users } from '../../src/planes/documents/users/users.ts'
import { alice, bob, carol } from '../helpers/document-keys.ts'
import { type SyncPeer, syncWorld } from '../helpers/document-network.ts'
import { entriesOf, put } from '../helpers/document-world.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

const at = (address: string, type = 'memory') => ({ type, address })
const unknown = { code: 'document/unknown-peer' }

async function one() {
  const world = await syncWorld(1)
  return { world, peer: world.peers[0]! }
}

describe('what the sync keeps', () => {
  it('D-68 peers are registered, found, and gone from everywhere once removed; they may come back', async () => {
    const { world, peer } = await one()
    await using _ = world
    const { peers } = peer.sync
    const tree = (await peer.instance.createDatabase({ key: alice })).id
    await peers.register(bob.publicKey, 'Bob')
    await peers.register(bob.publicKey)
    assert.equal(peers.peer(bob.publicKey)!.display_name, 'Bob')
    await peers.addAddresses(bob.publicKey, [at('b')])
    await peers.relate(bob.publicKey, tree)
    for (const change of [
      () => peers.addAddresses(carol.publicKey, [at('c')]),
      () => peers.removeAddress(carol.publicKey, at('c')),
      () => peers.relate(carol.publicKey, tree),
      () => peers.remove(carol.publicKey),
      () => peer.sync.syncTree(carol.publicKey, tree),
    ])
      await assert.rejects(change(), unknown)
    await peers.remove(bob.publicKey)
    assert.equal(peers.peer(bob.publicKey), undefined)
    assert.deepEqual([peers.peers(), peers.addresses(bob.publicKey), peers.peersOf(tree)], [[], [], []])
    await peers.register(bob.publicKey)
    assert.equal(peers.peers().length, 1)
  })

  it('D-69 D-70 addresses and relationships are there once, however often they are added', async () => {
    const { world, peer } = await one()
    await using _ = world
    const { peers } = peer.sync
    const trees = await Promise.all(
      [1, 2].map(async () => (await peer.instance.createDatabase({ key: alice })).id),
    )
    await peers.register(bob.publicKey)
    await peers.addAddresses(bob.publicKey, [at('x'), at('x'), at('y', 'http')])
    await peers.addAddresses(bob.publicKey, [at('x')])
    assert.deepEqual(peers.addresses(bob.publicKey), [at('x'), at('y', 'http')])
    assert.deepEqual(peers.addresses(bob.publicKey, 'http'), [at('y', 'http')])
    assert.equal(await peers.removeAddress(bob.publicKey, at('x')), true)
    assert.equal(await peers.removeAddress(bob.publicKey, at('x')), false)
    for (const tree of [...trees, ...trees]) await peers.relate(bob.publicKey, tree)
    assert.deepEqual(new Set(peers.treesOf(bob.publicKey)), new Set(trees))
    assert.deepEqual(peers.peersOf(trees[0]!), [bob.publicKey])
    await peers.unrelate(bob.publicKey, trees[0]!)
    assert.equal(peers.isRelated(bob.publicKey, trees[0]!), false)
    assert.equal(peers.isRelated(bob.publicKey, trees[1]!), true)
  })

  it('D-71 D-72 D-78 a served peer is known with what it advertises and related to what it read; a removed one is not served', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const trees = [await a.instance.createDatabase(), await a.instance.createDatabase()]
    for (const { id } of trees) await a.sync.setSyncSettings(id, syncEnabled)
    for (const { id } of [...trees, ...trees]) await b.sync.syncWithPeer(a.address, id)
    const { peers } = a.sync
    assert.deepEqual(peers.addresses(b.instance.id), [b.address])
    assert.deepEqual(new Set(peers.treesOf(b.instance.id)), new Set(trees.map(({ id }) => id)))
    await peers.remove(b.instance.id)
    await assert.rejects(b.sync.syncTree(a.instance.id, trees[0]!.id), { code: 'document/peer-denied' })
    assert.deepEqual(peers.relationships(), [])
  })

  it('strangers without end are served and not remembered', async () => {
    await using world = await syncWorld(4, { maxPeers: 2 })
    const [a, ...others] = world.peers as [SyncPeer, ...SyncPeer[]]
    const { id } = await a.instance.createDatabase()
    await a.sync.setSyncSettings(id, syncEnabled)
    for (const peer of others) {
      await peer.sync.syncWithPeer(a.address, id)
      assert.ok((await peer.instance.databases()).includes(id))
      await peer.sync.syncWithPeer(a.address, id)
    }
    assert.equal(a.sync.peers.count, 2)
    const stranger = others[2]!.instance.id
    assert.equal(await a.instance.note(`sync/${stranger}/${id}`), undefined)
  })

  it('D-73 D-82 everything is there again after a restart, and the database of the sync is the same', async () => {
    const { world, peer } = await one()
    await using _ = world
    const id = peer.instance.system('_sync')
    const tree = (await peer.instance.createDatabase({ key: alice })).id
    await peer.sync.setSetting('color', 'blue')
    await peer.sync.registerSyncPeer({ peer: bob.publicKey, tree, addresses: [at('b')], displayName: 'Bob' })
    await peer.sync.setSyncSettings(tree, syncOnCommit)
    const before = peer.sync.peers.peer(bob.publicKey)
    const device = peer.instance.id
    await peer.restart()
    assert.equal(peer.instance.id, device)
    assert.equal(peer.instance.system('_sync'), id)
    assert.deepEqual(peer.sync.peers.peer(bob.publicKey), before)
    assert.equal(peer.sync.peers.isRelated(bob.publicKey, tree), true)
    assert.deepEqual(await peer.sync.syncSettings(tree), syncOnCommit)
    assert.equal(await peer.sync.getSetting('color'), 'blue')
    assert.equal(await peer.sync.getSetting('size'), undefined)
  })

  it('D-75 D-77 what users want counts together, from before the sync was opened and as it changes', async () => {
    const clock = new FakeClock()
    await using world = await syncWorld(1, { clock })
    const [peer] = world.peers as [SyncPeer]
    const users = new Users(peer.instance, clock)
    const first = await users.create({ username: 'first' })
    const second = await users.create({ username: 'second', by: first })
    const database = await first.createDatabase()
    const { id } = database
    const key = await second.addKey()
    await database.transact(async (tx) => {
      const settings = await tx.settings()
      settings.setKey(key, { permission: { type: 'read' }, status: 'active' })
    })
    assert.deepEqual(await peer.sync.syncSettings(id), syncDisabled)
    await first.setSyncEnabled(id, true)
    await second.trackDatabase(id, key, { ...syncOnCommit, intervalSeconds: 60, properties: { a: '1' } })
    const together = { ...syncOnCommit, intervalSeconds: 60, properties: { a: '1' } }
    assert.deepEqual(await peer.sync.syncSettings(id), together)
    await peer.restart()
    assert.deepEqual(await peer.sync.syncSettings(id), together)
    const again = await new Users(peer.instance, clock).login('second')
    await again.untrackDatabase(id)
    assert.deepEqual(await peer.sync.syncSettings(id), syncEnabled)
    await (await new Users(peer.instance, clock).login('first')).setSyncEnabled(id, false)
    assert.deepEqual(await peer.sync.syncSettings(id), syncDisabled)
  })

  it('what comes and goes all the time leaves no trace in the versioned database', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const tree = await a.instance.createDatabase()
    await a.sync.setSyncSettings(tree.id, syncEnabled)
    await b.sync.syncWithPeer(a.address, tree.id)
    const sizes = () =>
      Promise.all(
        [a, b].map(async ({ instance }) => {
          return (await entriesOf(await instance.database(instance.system('_sync')!))).length
        }),
      )
    const before = await sizes()
    for (let i = 0; i < 5; i++) {
      await put(tree, `k${i}`, 'v')
      await b.sync.syncWithPeer(a.address, tree.id)
    }
    assert.deepEqual(await sizes(), before)
    assert.equal((await b.sync.history(a.instance.id)).length, 6)
  })
})

describe('transports by name', () => {
  it('D-82 each name keeps a state of its own, of its type', async () => {
    const { world, peer } = await one()
    await using _ = world
    const builder = (type: string, seen: unknown[]): TransportBuilder => ({
      type,
      build: (state) => {
        seen.push(state)
        const transport = { ...world.network.transport('x'), type }
        return { transport, state: state ?? { secret: seen.length } }
      },
    })
    const seen: unknown[] = []
    await peer.sync.registerTransport('one', builder('iroh', seen))
    await peer.sync.registerTransport('two', builder('iroh', seen))
    await peer.restart()
    await peer.sync.registerTransport('one', builder('iroh', seen))
    await peer.sync.registerTransport('two', builder('iroh', seen))
    assert.deepEqual(seen, [undefined, undefined, { secret: 1 }, { secret: 2 }])
    await assert.rejects(peer.sync.registerTransport('one', builder('http', seen)), {
      code: 'document/transport',
      message: /iroh/,
    })
  })

  it('D-80 D-81 addresses go to the transport of their type; one that cannot start keeps no other from it', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await a.instance.createDatabase()
    await a.sync.setSyncSettings(database.id, syncEnabled)
    await a.sync.registerTransport('client only', httpTransport())
    await a.sync.registerTransport('web', httpTransport({ bind: { host: '127.0.0.1', port: 0 } }))
    await a.sync.registerTransport('nowhere', httpTransport({ bind: { host: '192.0.2.1', port: 1 } }))
    await a.sync.acceptConnections()
    assert.equal(a.sync.addresses('nowhere').length, 0)
    const [web] = a.sync.addresses('web')
    await assert.rejects(b.sync.syncWithPeer(web!, database.id), { code: 'document/no-transport' })
    await b.sync.registerTransport('web', httpTransport())
    await b.sync.syncWithPeer(web!, database.id)
    await put(database, 'a', '1')
    await b.sync.syncWithPeer(a.address, database.id)
    const copied = await b.instance.database(database.id)
    assert.deepEqual(await copied.tips(), await database.tips())
    await assert.rejects(a.sync.acceptConnections('none'), { code: 'document/transport' })
    await assert.rejects(b.sync.syncWithPeer(at('evil/path@host', 'http'), database.id), {
      code: 'document/no-transport',
    })
  })

  it('D-117 one good address among bad ones is enough, none is an error of its own', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const { id } = await a.instance.createDatabase()
    await a.sync.setSyncSettings(id, syncEnabled)
    const bad = [at('nobody'), at('x', 'carrier-pigeon')]
    await assert.rejects(b.sync.syncWithTicket({ database: id, addresses: [] }), {
      code: 'document/bad-ticket',
    })
    await assert.rejects(b.sync.syncWithTicket({ database: id, addresses: bad }), {
      code: 'document/no-transport',
    })
    const wrong = { database: id, addresses: [a.address], peer: bob.publicKey }
    await assert.rejects(b.sync.syncWithTicket(wrong), { code: 'document/peer-protocol' })
    await b.sync.syncWithTicket({ database: id, addresses: [...bad, a.address] })
    assert.ok((await b.instance.databases()).includes(id))
  })
})
