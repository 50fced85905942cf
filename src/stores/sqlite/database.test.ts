import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { code, peer } from '../../../test/acceptance/store-setup.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { assertSqliteVersion } from './database.ts'
import { createSqliteStore, databaseName } from './sqlite-store.ts'

it('opens with the settings that the promises rest on', async () => {
  await using folder = await temporaryFolder()
  await using store = await createSqliteStore({ dir: folder.path })
  const pragma = (name: string) =>
    store.transaction((tx) => Object.values(tx.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  assert.equal(await pragma('journal_mode'), 'wal')
  assert.equal(await pragma('synchronous'), 2)
  assert.equal(await pragma('wal_autocheckpoint'), 20_000)
  assert.equal(await pragma('mmap_size'), 0)
  assert.equal(await pragma('foreign_keys'), 1)
  assert.ok(Number(await pragma('busy_timeout')) > 0)
  assert.equal(await pragma('cache_size'), -32 * 1024)
  await assert.rejects(
    store.transaction((tx) => tx.db.exec('PRAGMA writable_schema = ON; DELETE FROM sqlite_schema')),
    /may not be modified/,
  )
})

it('refuses a SQLite that can damage databases', () => {
  using db = new DatabaseSync(':memory:')
  assertSqliteVersion(db)
  assertSqliteVersion(db, '3.9.99')
  assert.throws(() => assertSqliteVersion(db, '3.999.0'), code('config/invalid'))
  assert.throws(() => assertSqliteVersion(db, '4.0.0'), code('config/invalid'))
})

it('leaves the database of another program untouched', async () => {
  await using folder = await temporaryFolder()
  const file = folder.join(databaseName)
  {
    using other = new DatabaseSync(file)
    other.exec('CREATE TABLE theirs (a)')
  }
  const before = readFileSync(file)
  await assert.rejects(createSqliteStore({ dir: folder.path }), /another program/)
  assert.deepEqual(readFileSync(file), before)
})

it('says that a file is no database, or damaged', async () => {
  await using folder = await temporaryFolder()
  mkdirSync(folder.join('text'))
  writeFileSync(folder.join('text/syncline.db'), 'Dear diary, '.repeat(1_000))
  await assert.rejects(createSqliteStore({ dir: folder.join('text') }), code('store/corrupt'))
  {
    await using store = await createSqliteStore({ dir: folder.join('torn') })
    await store.transaction((tx) => store.peers.put(tx, peer('p')))
  }
  const whole = readFileSync(folder.join('torn/syncline.db'))
  writeFileSync(folder.join('torn/syncline.db'), whole.fill(0x55, 4_096))
  await assert.rejects(createSqliteStore({ dir: folder.join('torn') }), code('store/corrupt'))
})

it('K12 a store of a newer version is left untouched, byte for byte, its write-ahead log too', async () => {
  await using folder = await temporaryFolder()
  const newer = folder.join('newer')
  mkdirSync(newer)
  {
    await using store = await createSqliteStore({ dir: folder.join('ours') })
    await store.transaction((tx) => tx.db.exec("INSERT INTO migrations VALUES ('control-9999-future')"))
    // Copied while it is open, as a killed process leaves it: the record is in the write-ahead log alone.
    for (const suffix of ['', '-wal']) {
      const name = `${databaseName}${suffix}`
      cpSync(folder.join(`ours/${name}`), `${newer}/${name}`)
    }
  }
  const bytes = () => ['', '-wal'].map((suffix) => readFileSync(`${newer}/${databaseName}${suffix}`))
  const before = bytes()
  assert.ok(before[1]!.length > 0)
  await assert.rejects(createSqliteStore({ dir: newer }), code('store/newer'))
  await assert.rejects(createSqliteStore({ dir: newer, readOnly: true }), code('store/newer'))
  assert.deepEqual(bytes(), before)
})

it('K11 closing waits for what was asked for, and leaves all of it in one file', async () => {
  await using folder = await temporaryFolder()
  const store = await createSqliteStore({ dir: folder.path })
  const writes = Array.from({ length: 20 }, (_, at) =>
    store.transaction((tx) => store.peers.put(tx, peer(`p${at}`))),
  )
  await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()])
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => /-(wal|shm)$/.test(name)),
    [],
  )
  {
    using file = new DatabaseSync(store.file, { readOnly: true })
    assert.equal(file.prepare('SELECT count(*) AS count FROM peers').get()?.count, 20)
  }
  await Promise.all(writes)
})

it('opening and closing a store changes no byte of it', async () => {
  await using folder = await temporaryFolder()
  const visit = async () => {
    await using store = await createSqliteStore({ dir: folder.path })
    await store.read((tx) => store.peers.list(tx))
    await store.transaction((tx) => store.peers.list(tx))
    return store.file
  }
  const file = await visit()
  const before = readFileSync(file)
  await visit()
  assert.deepEqual(readFileSync(file), before)
})

it('K3 an older copy that was put back shows by its epoch and fewer commits', async () => {
  await using folder = await temporaryFolder()
  const write = async (dir: string, name: string) => {
    await using store = await createSqliteStore({ dir })
    await store.transaction((tx) => store.peers.put(tx, peer('p', { name })))
    return store.read((tx) => store.position(tx))
  }
  const [node, backup] = [folder.join('node'), folder.join('backup')]
  await write(node, 'one')
  cpSync(node, backup, { recursive: true })
  const told = [await write(node, 'two'), await write(node, 'three')]
  assert.ok(told[1]!.commits > told[0]!.commits)
  await using restored = await createSqliteStore({ dir: backup })
  const position = await restored.read((tx) => restored.position(tx))
  assert.equal(position.epoch, told[1]!.epoch)
  assert.ok(position.commits < told[0]!.commits)
  await using other = await createSqliteStore({ dir: folder.join('other') })
  assert.notEqual(other.epoch, position.epoch)
})
