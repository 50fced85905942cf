import assert from 'node:assert/strict'
import { it } from 'node:test'
import { StoreChild } from '../../../test/acceptance/store-child.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { createSqliteStore } from './sqlite-store.ts'

const cycles = 20

it('K1 everything acknowledged is there after SIGKILL, whole, over and over', async (test) => {
  await using folder = await temporaryFolder()
  const acknowledged = new Set<string>()
  let commits = 0
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    await using child = new StoreChild('write', folder.path, String(cycle))
    await child.said(1 + Math.floor(Math.random() * 150))
    await child.kill()
    for (const line of child.lines) acknowledged.add(`${cycle}/${line}`)
    await using store = await createSqliteStore({ dir: folder.path })
    await store.read(async (tx) => {
      const check = tx.prepare('PRAGMA integrity_check').get()
      assert.equal(check?.integrity_check, 'ok')
      const rows = tx.prepare('SELECT round, number, count(*) AS parts FROM probe GROUP BY 1, 2').all()
      for (const { round, number, parts } of rows)
        assert.equal(parts, 3, `${round}/${number} is there in part`)
      const stored = new Set(rows.map(({ round, number }) => `${round}/${number}`))
      const lost = acknowledged.difference(stored)
      assert.deepEqual([...lost], [], `${lost.size} acknowledged transactions are lost`)
      const position = await store.position(tx)
      assert.ok(position.commits > commits)
      commits = position.commits
    })
  }
  assert.ok(acknowledged.size >= cycles)
  test.diagnostic(`${cycles} kills, ${acknowledged.size} acknowledged transactions compared`)
})

it('K1 files that may not grow are told as store/io; reads go on, and nothing acknowledged is lost', async () => {
  await using folder = await temporaryFolder()
  await using child = new StoreChild('fill', folder.path, 'f', 'ulimit -f 600')
  await child.ended()
  assert.equal(child.lines.at(-1), 'store/io, still readable')
  await using store = await createSqliteStore({ dir: folder.path })
  await store.read((tx) => {
    assert.equal(tx.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok')
    const rows = tx.prepare('SELECT number FROM probe GROUP BY number HAVING count(*) = 3').all()
    const stored = new Set(rows.map(({ number }) => String(number)))
    const acknowledged = child.lines.slice(0, -1).filter((line) => /^\d+$/.test(line))
    assert.ok(acknowledged.length > 0)
    assert.deepEqual(
      acknowledged.filter((number) => !stored.has(number)),
      [],
    )
  })
})

it('K12 a migration that was killed half way left no trace, and is applied by the next start', async () => {
  await using folder = await temporaryFolder()
  await using child = new StoreChild('migrate', folder.path)
  await child.said(1)
  await child.kill()
  await using store = await createSqliteStore({ dir: folder.path })
  const tables = (name: string) =>
    store.read((tx) => tx.prepare('SELECT name FROM sqlite_schema WHERE name = ?').all(name).length)
  assert.equal(await tables('probe'), 0)
  const create = {
    id: 'probe-0001-create',
    up: (tx: { db: { exec(sql: string): void } }) => tx.db.exec('CREATE TABLE probe (a)'),
  }
  await store.migrate([create])
  assert.equal(await tables('probe'), 1)
})
