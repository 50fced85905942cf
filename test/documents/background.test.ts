import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database } from '../../src/planes/documents/database.ts'
import type { SyncAttempt } from '../../src/planes/documents/sync/records/link-states.ts'
import { syncEnabled, syncOnCommit } from '../../src/planes/documents/users/sync-settings.ts'
import { alice } from '../helpers/document-keys.ts'
import { type SyncPeer, type SyncPeerOptions, syncWorld } from '../helpers/document-network.ts'
import { notes, put } from '../helpers/document-world.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** Peers that have a database of Alice, each in step with the next, and nobody with anybody else. */
async function chain(count: number, settings = syncOnCommit, options: Partial<SyncPeerOptions> = {}) {
  const clock = new FakeClock()
  const world = await syncWorld(count, { clock, random: () => 0.5, ...options })
  const { peers } = world
  const first = await peers[0]!.instance.createDatabase({ key: alice })
  const databases: Database[] = []
  for (const [i, peer] of peers.entries()) {
    await peer.sync.setSyncSettings(first.id, settings)
    peer.sync.setAccessKey(first.id, alice)
    if (i > 0) await peer.sync.syncWithPeer(peers[i - 1]!.address, first.id)
    databases.push(await peer.instance.database(first.id, { key: alice }))
  }
  for (const peer of peers) await peer.sync.start()
  return { world, peers, databases, clock, tree: first.id }
}

/** Lets time pass, a bit at a time, until something is so; a test that waits for ever fails by its own limit. */
async function eventually(clock: FakeClock, holds: () => Promise<boolean>, stepMs = 25): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return
    await clock.advance(stepMs)
    for (let turns = 0; turns < 20; turns++) await settle()
  }
  assert.fail('it did not happen')
}

const has = (database: Database, key: string) => async () => key in (await notes(database))

describe('documents sync in the background', () => {
  it('D-98 a commit reaches the peer by itself', async () => {
    const { world, databases, clock } = await chain(2)
    await using _ = world
    const [one, two] = databases as [Database, Database]
    await put(one, 'a', '1')
    await eventually(clock, has(two, 'a'))
    await put(two, 'b', '2')
    await eventually(clock, has(one, 'b'))
  })

  it('D-102 what a peer sent goes on to those whom only we know', async () => {
    const { world, peers, databases, clock } = await chain(3)
    await using _ = world
    assert.deepEqual(
      peers[0]!.sync.peers.peers().map(({ key }) => key),
      [peers[1]!.instance.id],
    )
    await put(databases[0]!, 'a', '1')
    await eventually(clock, has(databases[2]!, 'a'))
  })

  it('a peer is not asked again for what it has just sent', async () => {
    const { world, peers, databases, clock } = await chain(2)
    await using _ = world
    const before = (await peers[1]!.sync.history(peers[0]!.instance.id)).length
    await put(databases[0]!, 'a', '1')
    await eventually(clock, has(databases[1]!, 'a'))
    await clock.advance(1_000)
    assert.equal((await peers[1]!.sync.history(peers[0]!.instance.id)).length, before)
  })

  it('D-98 D-99 D-100 offline, a commit succeeds, flush says so, and no number of failures ends the obligation', async () => {
    const { world, peers, databases, clock } = await chain(2)
    await using _ = world
    const [one, two] = databases as [Database, Database]
    world.network.partition('a', 'b')
    await put(one, 'a', '1')
    for (let i = 0; i < 30; i++)
      await assert.rejects(peers[0]!.sync.flush(), { code: 'document/sync-incomplete' })
    const status = await peers[0]!.sync.status(peers[1]!.instance.id, one.id)
    assert.equal(status.inStep, false)
    assert.ok(status.failures >= 30)
    world.network.healAll()
    await peers[0]!.sync.flush()
    assert.deepEqual(await notes(two), { a: '1' })
    await peers[0]!.sync.flush()
    await clock.advance(0)
  })

  it('D-100 pauses after failures grow', async () => {
    const { world, peers, databases, clock } = await chain(2)
    await using _ = world
    world.network.partition('a', 'b')
    await put(databases[0]!, 'a', '1')
    const peer = peers[1]!.instance.id
    const failures = async () => (await peers[0]!.sync.status(peer, databases[0]!.id)).failures
    await eventually(clock, async () => (await failures()) >= 1)
    const times: number[] = []
    for (let known = await failures(); times.length < 4; ) {
      await eventually(clock, async () => (await failures()) > known, 250)
      known = await failures()
      times.push(clock.monotonic())
    }
    const pauses = times.slice(1).map((time, i) => time - times[i]!)
    assert.ok(pauses[0]! < pauses[1]! && pauses[1]! < pauses[2]!, pauses.join())
  })

  it('says what it will sync and when, and tells who counts of every attempt and answer', async () => {
    const attempts: (string | undefined)[] = []
    const answered = { requests: 0, bytes: 0 }
    const observer = {
      attempted: (_: unknown, { errorCode }: SyncAttempt) => attempts.push(errorCode),
      answered: (request: number, answer: number) => {
        answered.requests += 1
        answered.bytes += request + answer
      },
    }
    const { world, peers, databases, clock, tree } = await chain(2, syncOnCommit, { observer })
    await using _ = world
    const [a, b] = peers as [SyncPeer, SyncPeer]
    assert.ok(answered.requests > 0 && answered.bytes > 100 * answered.requests)
    assert.ok(attempts.length > 0 && attempts.every((code) => code === undefined))
    await eventually(clock, async () => !a.sync.planned()[0]!.running)
    const [planned, ...others] = a.sync.planned()
    assert.deepEqual(others, [])
    const { inMs, ...plan } = planned!
    assert.deepEqual(plan, { peer: b.instance.id, tree, failures: 0, running: false })
    assert.ok(inMs > 200_000 && inMs <= 330_000, `about five minutes, not ${inMs} ms`)
    world.network.partition('a', 'b')
    await put(databases[0]!, 'a', '1')
    await eventually(clock, async () => a.sync.planned()[0]!.failures > 0)
    assert.ok(a.sync.planned()[0]!.inMs <= 60_000)
    assert.equal(attempts.at(-1), 'document/unreachable')
    assert.equal((await a.sync.status(b.instance.id, tree)).lastErrorCode, 'document/unreachable')
    world.network.healAll()
    await a.sync.flush()
    const status = await a.sync.status(b.instance.id, tree)
    assert.deepEqual([status.lastError, status.lastErrorCode], [undefined, undefined])
  })

  it('what is owed to a peer survives a restart', async () => {
    const { world, peers, databases, clock, tree } = await chain(2)
    await using _ = world
    const [a, b] = peers as [SyncPeer, SyncPeer]
    world.network.partition('a', 'b')
    await put(databases[0]!, 'a', '1')
    await a.restart()
    world.network.healAll()
    a.sync.setAccessKey(tree, alice)
    await a.sync.start()
    await eventually(clock, async () => 'a' in (await notes(await b.instance.database(tree))))
  })

  it('D-101 without on-commit, changes go out at the interval, both ways', async () => {
    const { world, databases, clock } = await chain(2, { ...syncEnabled, intervalSeconds: 60 })
    await using _ = world
    const [one, two] = databases as [Database, Database]
    await put(one, 'a', '1')
    await put(two, 'b', '2')
    await clock.advance(30_000)
    assert.equal('a' in (await notes(two)), false)
    await clock.advance(40_000)
    await eventually(clock, has(two, 'a'))
    await eventually(clock, has(one, 'b'))
  })

  it('D-74 a registered peer is there at once, and the first sync can be waited for', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await a.instance.createDatabase({ key: alice })
    await a.sync.setSyncSettings(database.id, syncEnabled)
    const handle = await b.sync.registerSyncPeer({
      peer: a.instance.id,
      tree: database.id,
      addresses: [{ type: 'memory', address: 'nobody' }],
      accessKey: alice,
    })
    assert.equal(b.sync.peers.isRelated(a.instance.id, database.id), true)
    assert.equal((await handle.status()).hasLocalData, false)
    await assert.rejects(handle.waitForInitialSync(), { code: 'document/unreachable' })
    await handle.addAddress(a.address)
    await handle.waitForInitialSync()
    const { hasLocalData, inStep, failures, successes } = await handle.status()
    assert.deepEqual(
      { hasLocalData, inStep, failures, successes },
      {
        hasLocalData: true,
        inStep: true,
        failures: 1,
        successes: 1,
      },
    )
  })
})
