import assert from 'node:assert/strict'
import { it } from 'node:test'
import { code, peer } from '../../../test/acceptance/store-setup.ts'
import { FakeClock, settle } from '../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { createSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'

async function setup(limits: SqliteStoreOptions['limits'] = {}) {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const store = await createSqliteStore({ dir: folder.path, clock, limits })
  return {
    store,
    clock,
    put: (id: string) => store.transaction((tx) => store.peers.put(tx, peer(id))),
    count: () => store.read(async (tx) => (await store.peers.list(tx)).length),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

it('a loop that was left half way does not keep later reads in the past', async () => {
  await using world = await setup({ maxReaders: 1 })
  for (const id of ['a', 'b', 'c']) await world.put(id)
  const rows = await world.store.read((tx) => {
    const loop = tx.prepare('SELECT id FROM peers').iterate()
    loop.next()
    return loop
  })
  await world.put('d')
  assert.equal(await world.count(), 4)
  assert.equal(rows.next().done, true)
})

it('more reads than connections take turns; more than may wait are refused', async () => {
  await using world = await setup({ maxReaders: 2, maxWaitingReads: 3 })
  const hold = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  const reads = Array.from({ length: 6 }, () =>
    world.store.read(async () => {
      running += 1
      most = Math.max(most, running)
      await hold.promise
      running -= 1
    }),
  )
  const all = Promise.allSettled(reads)
  await settle()
  hold.resolve()
  const settled = await all
  assert.equal(most, 2)
  assert.deepEqual(
    settled.map(({ status }) => status),
    [...Array<string>(5).fill('fulfilled'), 'rejected'],
  )
  await assert.rejects(reads[5]!, code('store/busy'))
})

it('a read that does not end is ended after its time, and cannot go on behind the back of others', async () => {
  await using world = await setup({ maxReaders: 1 })
  await world.put('a')
  const wake = Promise.withResolvers<void>()
  const outcome = Promise.withResolvers<string>()
  const started = Promise.withResolvers<void>()
  const stuck = world.store.read(async (tx) => {
    const statement = tx.prepare('SELECT count(*) AS count FROM peers')
    started.resolve()
    await wake.promise
    try {
      outcome.resolve(`read ${statement.get()?.count}`)
    } catch {
      outcome.resolve('refused')
    }
  })
  const refused = assert.rejects(stuck, code('store/busy'))
  await started.promise
  await world.clock.advance(60_000)
  await refused
  await world.put('b')
  assert.equal(await world.count(), 2)
  wake.resolve()
  assert.equal(await outcome.promise, 'refused')
  assert.equal(world.clock.sleeping, 0)
})

it('a read that throws gives its error and its connection back', async () => {
  await using world = await setup({ maxReaders: 1 })
  const failure = new Error('not found')
  for (const work of [
    () => {
      throw failure
    },
    async () => Promise.reject(failure),
  ])
    await assert.rejects(world.store.read(work), (error) => error === failure)
  await world.put('a')
  assert.equal(await world.count(), 1)
})

it('a read has no commit, so its hooks are refused', async () => {
  await using world = await setup()
  for (const hook of ['afterCommit', 'onRollback'] as const)
    await assert.rejects(
      world.store.read((tx) => tx[hook](() => {})),
      code('internal/bug'),
    )
  await assert.rejects(
    world.store.read((tx) => tx.beforeCommit({}, () => {})),
    code('internal/bug'),
  )
})
