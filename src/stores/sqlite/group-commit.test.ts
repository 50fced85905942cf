import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { code } from '../../../test/acceptance/store-setup.ts'
import { FakeClock, settle } from '../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { type LogFields, type Logger, silentLogger } from '../../kernel/logger.ts'
import { createSqliteStore, type SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'
import type { SqliteTx } from './sqlite-tx.ts'

interface World extends AsyncDisposable {
  readonly store: SqliteStore
  readonly clock: FakeClock
  readonly errors: string[]
  insert(a: number): Promise<void>
  rows(): Promise<number[]>
}

async function setup(limits: SqliteStoreOptions['limits'] = {}): Promise<World> {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const errors: string[] = []
  const log: Logger = {
    ...silentLogger,
    error: (message: string, fields?: LogFields) => errors.push(`${message}: ${fields?.error}`),
  }
  const store = await createSqliteStore({ dir: folder.path, clock, log, limits })
  await store.migrate([{ id: 'probe-0001-create', up: (tx) => tx.db.exec('CREATE TABLE probe (a INTEGER)') }])
  return {
    store,
    clock,
    errors,
    insert: (a) => store.transaction((tx) => put(tx, a)),
    rows: () =>
      store.read((tx) =>
        tx
          .prepare('SELECT a FROM probe ORDER BY a')
          .all()
          .map((row) => Number(row.a)),
      ),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function put(tx: SqliteTx, a: number): void {
  tx.prepare('INSERT INTO probe VALUES (?)').run(a)
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

it('transactions that wait together share one commit', async () => {
  await using world = await setup()
  const before = world.store.stats
  await Promise.all(numbers(100).map(world.insert))
  const after = world.store.stats
  assert.equal(after.commits - before.commits, 1)
  assert.equal(after.committed - before.committed, 100)
  assert.deepEqual(await world.rows(), numbers(100))
  const position = await world.store.read((tx) => world.store.position(tx))
  assert.equal(position.commits, after.commits)
})

it('transactions of one turn of the event loop share one commit', async () => {
  await using world = await setup()
  const before = world.store.stats.commits
  const writes: Promise<void>[] = []
  for (const a of numbers(10)) {
    writes.push(world.insert(a))
    for (let tick = 0; tick < 10; tick += 1) await Promise.resolve()
  }
  await Promise.all(writes)
  assert.equal(world.store.stats.commits - before, 1)
})

it('those that arrive while one is running join its commit', async () => {
  await using world = await setup()
  const { store } = world
  const before = store.stats.commits
  const started = Promise.withResolvers<void>()
  const hold = Promise.withResolvers<void>()
  const first = store.transaction(async (tx) => {
    put(tx, 0)
    started.resolve()
    await hold.promise
  })
  await started.promise
  const more = [1, 2, 3].map(world.insert)
  hold.resolve()
  await Promise.all([first, ...more])
  assert.equal(store.stats.commits - before, 1)
})

it('a group ends at its weight and at its number, so that commits and pauses stay short', async () => {
  await using world = await setup({ maxGroup: 4, maxGroupWeight: 100 })
  const { store } = world
  const commits = async (weights: readonly number[]) => {
    const before = store.stats.commits
    await Promise.all(weights.map((weight) => store.transaction((tx) => put(tx, weight), { weight })))
    return store.stats.commits - before
  }
  assert.equal(await commits([1, 1, 1, 1, 1, 1, 1, 1]), 2)
  assert.equal(await commits([40, 40, 40, 40]), 2)
  assert.equal(await commits([500, 1, 500]), 3)
})

it('one after the other, each transaction has its own commit and waits for nobody', async () => {
  await using world = await setup()
  const before = world.store.stats.commits
  for (const a of numbers(5)) await world.insert(a)
  assert.equal(world.store.stats.commits - before, 5)
})

it('refuses more waiting transactions than its bound', async () => {
  await using world = await setup({ maxWaiting: 3 })
  const settled = await Promise.allSettled(numbers(5).map(world.insert))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  )
  for (const each of settled.slice(3))
    assert.ok(each.status === 'rejected' && code('store/busy')(each.reason))
  assert.deepEqual(await world.rows(), [0, 1, 2])
})

it('hooks run before the commit once per key, after it in order, and neither for what was rolled back', async () => {
  await using world = await setup()
  const { store } = world
  const file = new DatabaseSync(store.file, { readOnly: true })
  const durable = () => Number(file.prepare('SELECT count(*) AS count FROM probe').get()?.count)
  const order: string[] = []
  const key = {}
  const add = (a: number, fails: boolean) =>
    store.transaction(async (tx) => {
      put(tx, a)
      tx.beforeCommit(key, () => {
        order.push(`before of ${a}`)
        put(tx, 100 + a)
        tx.beforeCommit({}, () => order.push('before, registered by a hook'))
      })
      tx.afterCommit(() => order.push(`after ${a}: ${durable()} rows`))
      tx.onRollback(() => order.push(`rollback ${a}, first`))
      tx.onRollback(() => order.push(`rollback ${a}, second`))
      await settle()
      if (fails) throw new Error(`${a} fails`)
    })
  await Promise.allSettled([add(1, true), add(2, false), add(3, true), add(4, false)])
  assert.deepEqual(order, [
    'rollback 1, second',
    'rollback 1, first',
    'rollback 3, second',
    'rollback 3, first',
    'before of 2',
    'before, registered by a hook',
    'after 2: 3 rows',
    'after 4: 3 rows',
  ])
  assert.deepEqual(await world.rows(), [2, 4, 102])
  file.close()
})

it('a hook that fails before the commit fails the whole group, and the next one works', async () => {
  await using world = await setup()
  const { store } = world
  const undone: number[] = []
  const write = (a: number, hook: () => void) =>
    store.transaction((tx) => {
      put(tx, a)
      tx.beforeCommit({}, hook)
      tx.onRollback(() => undone.push(a))
    })
  const group = [
    write(1, () => {}),
    write(2, () => {
      throw new Error('the index is wrong')
    }),
    world.insert(3),
  ]
  for (const each of group) await assert.rejects(each, /the index is wrong/)
  assert.deepEqual(undone, [2, 1])
  assert.deepEqual(await world.rows(), [])
  await world.insert(4)
  assert.deepEqual(await world.rows(), [4])
})

it('a hook that fails after the commit is logged and changes no outcome', async () => {
  await using world = await setup()
  const { store } = world
  const reached: string[] = []
  await store.transaction((tx) => {
    put(tx, 1)
    tx.afterCommit(() => {
      throw new Error('a listener broke')
    })
    tx.afterCommit(() => reached.push('the next hook'))
  })
  assert.deepEqual(reached, ['the next hook'])
  assert.match(world.errors[0] ?? '', /a listener broke/)
  assert.deepEqual(await world.rows(), [1])
})

it('a COMMIT that fails rolls back all of its group and tells each, and the next one works', async () => {
  await using world = await setup()
  const { store } = world
  const group = [
    world.insert(1),
    // The check of this foreign key is put off until COMMIT, which then fails.
    store.transaction((tx) =>
      tx.db.exec("PRAGMA defer_foreign_keys = ON; INSERT INTO peer_health VALUES ('nobody', '{}')"),
    ),
    world.insert(2),
  ]
  for (const each of group) await assert.rejects(each, /FOREIGN KEY/)
  assert.deepEqual(await world.rows(), [])
  await world.insert(3)
  assert.deepEqual(await world.rows(), [3])
})

it('a transaction that never ends is rolled back after its time; those before and after it commit', async () => {
  await using world = await setup()
  const { store, clock } = world
  const first = world.insert(1)
  const wake = Promise.withResolvers<void>()
  const zombie = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  let rolledBack = false
  const stuck = store.transaction(async (tx) => {
    const statement = tx.prepare('INSERT INTO probe VALUES (?)')
    statement.run(2)
    tx.onRollback(() => {
      rolledBack = true
    })
    started.resolve()
    await wake.promise
    // What it held on to must not reach into the transactions of others.
    const held = await Promise.allSettled(
      [async () => statement.run(20), async () => put(tx, 21)].map((write) => write()),
    )
    zombie.resolve(held.map(({ status }) => status))
  })
  const refused = assert.rejects(stuck, code('internal/bug'))
  const later = world.insert(3)
  await started.promise
  await clock.advance(29_999)
  assert.equal(rolledBack, false)
  await clock.advance(1)
  await refused
  assert.ok(rolledBack)
  await Promise.all([first, later])
  const inside = store.transaction(async (tx) => {
    put(tx, 4)
    wake.resolve()
    assert.deepEqual(await zombie.promise, ['rejected', 'rejected'])
  })
  await inside
  assert.deepEqual(await world.rows(), [1, 3, 4])
  assert.equal(clock.sleeping, 0)
})

it('a transaction cannot be used after its work has ended', async () => {
  await using world = await setup()
  const { store } = world
  const leaked = await store.transaction((tx) => tx)
  const uses = [
    () => leaked.prepare('SELECT 1'),
    () => leaked.db,
    () => leaked.beforeCommit({}, () => {}),
    () => leaked.afterCommit(() => {}),
    () => leaked.onRollback(() => {}),
  ]
  for (const use of uses) assert.throws(use, code('internal/bug'))
  const read = await store.read((tx) => tx)
  assert.throws(() => read.prepare('SELECT 1'), code('internal/bug'))
})

it('work that ends its transaction by itself fails, with all of its group', async () => {
  await using world = await setup()
  const { store } = world
  const group = [
    store.transaction((tx) => {
      put(tx, 1)
    }),
    store.transaction((tx) => {
      tx.db.exec('ROLLBACK')
    }),
  ]
  for (const each of group) await assert.rejects(each, code('internal/bug'))
  await world.insert(2)
  assert.deepEqual(await world.rows(), [2])
})

it('what need not be durable waits for no flush, and is flushed with the next that must be', async () => {
  await using world = await setup()
  const { store } = world
  const put_ = (a: number, durable: boolean) => store.transaction((tx) => put(tx, a), { durable })
  const spent = async (...writes: readonly boolean[]) => {
    const before = store.stats
    await Promise.all(writes.map((durable, n) => put_(n, durable)))
    return [store.stats.commits - before.commits, store.stats.flushes - before.flushes]
  }
  const mode = () => store.transaction((tx) => Number(tx.prepare('PRAGMA synchronous').get()?.synchronous))
  assert.deepEqual(await spent(false, false, false), [1, 0])
  assert.deepEqual(await spent(true, false, false), [1, 1], 'they are taken along')
  assert.deepEqual(
    await spent(false, false, true, false),
    [2, 1],
    'nobody waits for the disk before his turn',
  )
  await put_(9, false)
  assert.equal(await mode(), 2, 'who says nothing is flushed, whoever came before')
})
