import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database } from '../../src/planes/documents/database.ts'
import {
  type SyncSettings,
  syncDisabled,
  syncEnabled,
  syncOnCommit,
} from '../../src/planes/documents/users/sync-settings.ts'
import { Users } from '../../src/planes/documents/users/users.ts'
import { alice } from '../helpers/document-keys.ts'
import { type SyncPeer, type SyncPeerOptions, syncWorld } from '../helpers/document-network.ts'
import { seededRandom } from '../helpers/document-simulation.ts'
import { entriesOf, notes, put } from '../helpers/document-world.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** Peers that all hold a database of Alice, and know each other as `settings` and the syncs so far have it. */
async function sharing(count: number, settings: SyncSettings, options: Partial<SyncPeerOptions> = {}) {
  const world = await syncWorld(count, options)
  const { peers } = world
  const first = await peers[0]!.instance.createDatabase({ key: alice })
  const databases: Database[] = []
  for (const [i, peer] of peers.entries()) {
    await peer.sync.setSyncSettings(first.id, settings)
    peer.sync.setAccessKey(first.id, alice)
    for (const other of peers.slice(0, i)) await peer.sync.syncWithPeer(other.address, first.id)
    databases.push(await peer.instance.database(first.id, { key: alice }))
  }
  return { world, peers, databases, tree: first.id }
}

const seen = async (database: Database) => ({
  tips: await database.tips(),
  ids: (await entriesOf(database)).map(({ id }) => id),
  state: await notes(database),
})

async function areEqual(...databases: readonly Database[]): Promise<boolean> {
  const [first, ...others] = await Promise.all(databases.map(seen))
  return others.every((other) => JSON.stringify(other) === JSON.stringify(first))
}

describe('peers that write on their own', () => {
  it('D-90 three differ before they sync, and hold one tip set and all values afterwards', async () => {
    const { world, peers, databases, tree } = await sharing(3, syncEnabled)
    await using _ = world
    for (const [i, database] of databases.entries()) await put(database, `by-${i}`, `${i}`)
    for (const [i, database] of databases.entries())
      assert.deepEqual(await notes(database), { [`by-${i}`]: `${i}` })
    for (const from of [peers[1]!, peers[2]!, peers[1]!])
      await from.sync.syncWithPeer(peers[0]!.address, tree)
    assert.ok(await areEqual(...databases))
    assert.deepEqual(await notes(databases[0]!), { 'by-0': '0', 'by-1': '1', 'by-2': '2' })
    assert.equal((await databases[0]!.tips()).length, 3)
  })

  it('D-91 a pair on one side of a cut converges, the whole does not, and does once it is healed', async () => {
    const { world, peers, databases, tree } = await sharing(3, syncEnabled)
    await using _ = world
    const [zero, one, two] = databases as [Database, Database, Database]
    world.network.partition('a', 'c')
    world.network.partition('b', 'c')
    for (const [i, database] of databases.entries()) await put(database, `by-${i}`, `${i}`)
    await peers[0]!.sync.syncWithPeer(peers[1]!.address, tree)
    for (const cut of [peers[0]!, peers[1]!])
      await assert.rejects(cut.sync.syncWithPeer(peers[2]!.address, tree), { code: 'document/unreachable' })
    assert.ok(await areEqual(zero, one))
    assert.deepEqual(await notes(zero), { 'by-0': '0', 'by-1': '1' })
    assert.deepEqual(await notes(two), { 'by-2': '2' })
    world.network.healAll()
    await peers[2]!.sync.syncWithPeer(peers[0]!.address, tree)
    await peers[1]!.sync.syncWithPeer(peers[0]!.address, tree)
    assert.ok(await areEqual(zero, one, two))
    assert.deepEqual(await notes(two), { 'by-0': '0', 'by-1': '1', 'by-2': '2' })
  })

  it('D-94 links are cut and healed while everybody writes; then flushing alone brings everything everywhere', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = seededRandom(seed)
      const clock = new FakeClock()
      const { world, peers, databases } = await sharing(3, syncOnCommit, { clock, random })
      await using _ = world
      for (const peer of peers) await peer.sync.start()
      const any = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!
      let [toggles, writes] = [0, 0]
      while (writes < 9) {
        if (random() < 0.4) {
          const [from, to] = [any(peers).name, any(peers).name]
          if (random() < 0.6) world.network.partition(from, to)
          else world.network.heal(from, to)
          toggles += 1
        } else await put(any(databases), `k${writes++}`, `${seed}`)
        await clock.advance(50)
      }
      assert.ok(toggles > 0)
      world.network.healAll()
      // As often as the longest way is long, and once more.
      for (let pass = 0; pass <= peers.length; pass++) for (const peer of peers) await peer.sync.flush()
      assert.ok(await areEqual(...databases), `seed ${seed}`)
      assert.equal(Object.keys(await notes(databases[0]!)).length, writes)
    }
  })

  it('D-95 what a peer was believed to have, and never got, reaches it with the next exchange, although it holds the children', async () => {
    const { world, peers, databases, tree } = await sharing(2, syncEnabled)
    await using _ = world
    const [a, b] = peers as [SyncPeer, SyncPeer]
    const [one, two] = databases as [Database, Database]
    await put(one, 'lost', '1')
    const child = await put(one, 'child', '1')
    // A took the push for delivered; only its last entry was.
    const state = { ...(await a.sync.status(b.instance.id, tree)), agreed: [child] }
    await a.instance.setNote(`sync/${b.instance.id}/${tree}`, JSON.stringify(state))
    await a.restart()
    a.sync.setAccessKey(tree, alice)
    const { outcomes } = await b.instance.ingest([(await one.entry(child)).bytes])
    assert.equal(outcomes[0]!.kind, 'held')
    const again = await a.instance.database(tree, { key: alice })
    assert.deepEqual((await a.sync.status(b.instance.id, tree)).agreed, [child])
    await a.sync.syncWithPeer(b.address, tree)
    assert.ok(await areEqual(again, two))
    assert.deepEqual(await notes(two), { lost: '1', child: '1' })
    assert.deepEqual(await two.held(), [])
  })
})

describe('commits', () => {
  it('D-98 succeed whatever the sync is: disabled, not on commit, without peers, without a transport, not begun', async () => {
    for (const settings of [syncDisabled, syncEnabled, syncOnCommit])
      for (const networks of [undefined, []]) {
        const clock = new FakeClock()
        await using world = await syncWorld(1, networks === undefined ? { clock } : { clock, networks })
        const [peer] = world.peers as [SyncPeer]
        const database = await peer.instance.createDatabase({ key: alice })
        await peer.sync.setSyncSettings(database.id, settings)
        await put(database, 'before', 'start')
        await peer.sync.start()
        await put(database, 'after', 'start')
        await clock.advance(1_000)
        await peer.sync.flush()
        assert.deepEqual(await notes(database), { before: 'start', after: 'start' })
      }
  })

  it('D-98 of a database that is not to be synced on commit, or not at all, stay here', async () => {
    for (const settings of [syncDisabled, syncEnabled]) {
      const clock = new FakeClock()
      const { world, peers, databases, tree } = await sharing(2, syncEnabled, { clock })
      await using _ = world
      await peers[0]!.sync.setSyncSettings(tree, settings)
      await peers[0]!.sync.start()
      await put(databases[0]!, 'k', 'v')
      await clock.advance(5_000)
      assert.deepEqual(await notes(databases[1]!), {})
    }
  })

  it('D-77 of what a user follows go out after a restart, without anything being tracked again', async () => {
    const clock = new FakeClock()
    await using world = await syncWorld(2, { clock })
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const user = await new Users(a.instance, clock).create({ username: 'ada' })
    const database = await user.createDatabase()
    await database.transact(async (tx) => {
      const settings = await tx.settings()
      settings.setGlobal({ permission: { type: 'read' }, status: 'active' })
    })
    await user.trackDatabase(database.id, database.publicKey!, syncOnCommit)
    await b.sync.setSyncSettings(database.id, syncEnabled)
    await b.sync.syncWithPeer(a.address, database.id)
    await a.restart()
    const again = await (await new Users(a.instance, clock).login('ada')).openDatabase(database.id)
    await a.sync.start()
    await put(again, 'k', 'v')
    for (let i = 0; i < 40; i++) {
      await clock.advance(50)
      await settle()
    }
    assert.deepEqual(await notes(await b.instance.database(database.id)), { k: 'v' })
  })
})
