import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Migration } from '../../src/kernel/store.ts'
import { code, type StoreSetup } from './store-setup.ts'

export function migrationTests<Tx>(setup: StoreSetup<Tx>): void {
  const sql = (execute: (tx: Tx, sql: string) => Promise<unknown>, id: string, ...statements: string[]) => ({
    id,
    async up(tx: Tx) {
      for (const statement of statements) await execute(tx, statement)
    },
  })

  it('applies what is missing once, in the order of ids', async () => {
    await using world = await setup()
    const { execute } = world
    const migrations: Migration<Tx>[] = [
      sql(execute, 'probe-0002-grow', 'INSERT INTO probe (a) VALUES (2)'),
      sql(execute, 'probe-0001-create', 'CREATE TABLE probe (a INTEGER)', 'INSERT INTO probe (a) VALUES (1)'),
    ]
    await Promise.all([world.store.migrate(migrations), world.store.migrate(migrations)])
    const again = await world.restart()
    await again.migrate([...migrations, sql(execute, 'probe-0003-more', 'INSERT INTO probe (a) VALUES (3)')])
    const rows = await again.read((tx) => execute(tx, 'SELECT a FROM probe ORDER BY a'))
    assert.deepEqual(
      rows.map(({ a }) => Number(a)),
      [1, 2, 3],
    )
  })

  it('K12 a migration that fails leaves no trace, keeps those before it and can be applied later', async () => {
    await using world = await setup()
    const { execute } = world
    const first = sql(execute, 'probe-0001-create', 'CREATE TABLE probe (a INTEGER)')
    const second = sql(
      execute,
      'probe-0002-fill',
      'CREATE TABLE other (a INTEGER)',
      'INSERT INTO probe (a) VALUES (1)',
    )
    const broken: Migration<Tx> = {
      id: second.id,
      async up(tx) {
        await second.up(tx)
        throw new Error('halfway')
      },
    }
    await assert.rejects(world.store.migrate([first, broken]), /halfway/)
    const again = await world.restart()
    assert.deepEqual(await again.read((tx) => execute(tx, 'SELECT a FROM probe')), [])
    await again.migrate([first, second])
    assert.equal((await again.read((tx) => execute(tx, 'SELECT a FROM probe'))).length, 1)
  })

  it('K12 refuses a store that a newer version wrote, and changes nothing in it', async () => {
    await using world = await setup()
    const { execute } = world
    const create = sql(execute, 'probe-0001-create', 'CREATE TABLE probe (a INTEGER)')
    await world.store.migrate([create, sql(execute, 'probe-0009-future', 'INSERT INTO probe (a) VALUES (9)')])
    const again = await world.restart()
    const missing = sql(execute, 'probe-0002-fill', 'INSERT INTO probe (a) VALUES (2)')
    await assert.rejects(again.migrate([create, missing]), code('store/newer'))
    const rows = await again.read((tx) => execute(tx, 'SELECT a FROM probe'))
    assert.deepEqual(
      rows.map(({ a }) => Number(a)),
      [9],
    )
  })

  it('what planes applied that are not loaded now is no reason to refuse', async () => {
    await using world = await setup()
    const { execute } = world
    await world.store.migrate([sql(execute, 'probe-0001-create', 'CREATE TABLE probe (a INTEGER)')])
    const again = await world.restart()
    await again.migrate([sql(execute, 'other-0001-create', 'CREATE TABLE other (a INTEGER)')])
    assert.deepEqual(await again.read((tx) => execute(tx, 'SELECT a FROM other')), [])
  })
}
