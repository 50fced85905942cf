import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { code } from '../../../test/acceptance/store-setup.ts'
import { mountSmallDisk } from '../../../test/helpers/small-disk.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { createSqliteStore, type SqliteStore } from './sqlite-store.ts'

const schema = {
  id: 'probe-0001-create',
  up: (tx: { db: { exec(sql: string): void } }) => tx.db.exec('CREATE TABLE probe (a BLOB)'),
}

const insert = (store: SqliteStore, bytes: number) =>
  store.transaction(
    (tx) => void tx.prepare('INSERT INTO probe VALUES (?)').run(new Uint8Array(bytes).fill(7)),
  )

const count = (store: SqliteStore) =>
  store.read((tx) => Number(tx.prepare('SELECT count(*) AS count FROM probe').get()?.count))

const integrity = (store: SqliteStore) =>
  store.read((tx) => tx.prepare('PRAGMA integrity_check').get()?.integrity_check)

/** Writes until the store is full; answers how many transactions were acknowledged. */
async function fill(store: SqliteStore): Promise<number> {
  for (let acknowledged = 0; acknowledged < 10_000; ) {
    const settled = await Promise.allSettled([
      insert(store, 50_000),
      insert(store, 50_000),
      insert(store, 10),
    ])
    acknowledged += settled.filter(({ status }) => status === 'fulfilled').length
    const failures = settled.filter((each) => each.status === 'rejected').map(({ reason }) => reason)
    for (const failure of failures) assert.ok(code('store/full')(failure), String(failure))
    if (failures.length > 0) return acknowledged
  }
  throw new Error('the disk never got full')
}

it('a full disk refuses writes clearly, reads go on, nothing acknowledged is lost, and space heals it', async (test) => {
  await using folder = await temporaryFolder()
  const path = folder.join('disk')
  using disk = mountSmallDisk(path, 4)
  if (disk === undefined) return test.skip('needs the right to mount')
  const ballast = join(path, 'ballast')
  writeFileSync(ballast, new Uint8Array(1_500_000))
  let expected = 0
  {
    await using store = await createSqliteStore({ dir: join(path, 'data') })
    await store.migrate([schema])
    expected = await fill(store)
    assert.ok(expected > 0)
    assert.equal(await count(store), expected)
    await assert.rejects(insert(store, 500_000), code('store/full'))
    assert.equal(await count(store), expected)
  }
  // To the last byte: opening must not need any.
  assert.throws(() => {
    for (let part = 0; ; part += 1) writeFileSync(join(path, `part-${part}`), new Uint8Array(4_096))
  }, /ENOSPC/)
  await using store = await createSqliteStore({ dir: join(path, 'data') })
  assert.equal(await count(store), expected)
  await assert.rejects(insert(store, 500_000), code('store/full'))
  rmSync(ballast)
  await insert(store, 500_000)
  assert.equal(await count(store), expected + 1)
  assert.equal(await integrity(store), 'ok')
})

it('a database at its limit refuses writes clearly and works again when it may grow', async () => {
  await using folder = await temporaryFolder()
  await using store = await createSqliteStore({ dir: folder.path })
  await store.migrate([schema])
  await store.transaction((tx) => tx.db.exec('PRAGMA max_page_count = 300'))
  const acknowledged = await fill(store)
  assert.ok(acknowledged > 0)
  assert.equal(await count(store), acknowledged)
  await store.transaction((tx) => tx.db.exec('PRAGMA max_page_count = 100000'))
  await insert(store, 500_000)
  assert.equal(await count(store), acknowledged + 1)
  assert.equal(await integrity(store), 'ok')
})

it('a full disk ends the whole group: each of it is told, and none of it stays', async () => {
  await using folder = await temporaryFolder()
  await using store = await createSqliteStore({ dir: folder.path })
  await store.migrate([schema])
  await store.transaction((tx) => tx.db.exec('PRAGMA max_page_count = 100'))
  const settled = await Promise.allSettled([insert(store, 10), insert(store, 1_000_000), insert(store, 20)])
  const [before, itself, after] = settled
  for (const each of [before, itself])
    assert.ok(each?.status === 'rejected' && code('store/full')(each.reason))
  assert.equal(after?.status, 'fulfilled')
  assert.equal(await count(store), 1)
})

it('work that ignores a full disk cannot write on outside of its transaction', async () => {
  await using folder = await temporaryFolder()
  await using store = await createSqliteStore({ dir: folder.path })
  await store.migrate([schema])
  await store.transaction((tx) => tx.db.exec('PRAGMA max_page_count = 100'))
  const careless = store.transaction((tx) => {
    tx.prepare('INSERT INTO probe VALUES (?)').run(new Uint8Array(10))
    try {
      tx.prepare('INSERT INTO probe VALUES (?)').run(new Uint8Array(1_000_000))
    } catch {
      // As careless work does.
    }
    tx.prepare('INSERT INTO probe VALUES (?)').run(new Uint8Array(20))
  })
  const kept = await careless.then(
    () => 2,
    () => 0,
  )
  // SQLite may undo the statement or the transaction: then all of the rest is there, or none of it.
  assert.equal(await count(store), kept)
})
