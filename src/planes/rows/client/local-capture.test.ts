import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { symlinkSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { businessSqlite, businessTables, openDevice, rowsOf } from '../../../../test/helpers/rows-tables.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { orderTables, readTables } from './local-table.ts'
import { metadataTables } from './metadata-schema.ts'
import { nodeDriver } from './node-driver.sqlite.ts'
import { freeze, thaw } from './outbox.ts'
import { defineRowFunctions } from './row-json.ts'
import { transact } from './transaction.ts'

const dirty = (db: DatabaseSync) =>
  rowsOf(
    db,
    'SELECT table_name AS t, key_json AS k, op, base_row_version AS base, payload FROM _sync_dirty_rows ORDER BY dirty_ordinal',
  )

function freezeAll(db: DatabaseSync) {
  const driver = nodeDriver(db)
  defineRowFunctions(driver)
  const tables = orderTables(readTables(driver, businessTables))
  const sha256 = () => createHash('sha256')
  return freeze(driver, { schema: 'business', tables, maxRows: 1_000_000, sha256 })
}

const outbox = (db: DatabaseSync) =>
  rowsOf(
    db,
    'SELECT table_name AS t, key_json AS k, op, base_row_version AS base FROM _sync_outbox_rows ORDER BY row_ordinal',
  )

const user = `INSERT INTO users (id, name, email) VALUES`

describe('R-54 setting up a database', () => {
  it('is repeatable: metadata, triggers and tables of others stay as they are', async () => {
    await using folder = await temporaryFolder()
    const path = folder.join('a.db')
    const schemaOf = (db: DatabaseSync) => rowsOf(db, `SELECT name, sql FROM sqlite_schema ORDER BY name`)
    let before: unknown[]
    {
      using device = openDevice(path)
      await device.client.open()
      device.db.exec('CREATE TABLE _sync_of_others (a); INSERT INTO _sync_of_others VALUES (1)')
      before = schemaOf(device.db)
    }
    using device = openDevice(path)
    await device.client.open()
    assert.deepEqual(schemaOf(device.db), before)
    assert.equal(rowsOf(device.db, 'SELECT * FROM _sync_of_others').length, 1)
    for (const table of metadataTables)
      assert.ok(before.some((entry) => (entry as { name: string }).name === table))
  })

  it('resets a stuck apply mode, so that edits are captured again', async () => {
    await using folder = await temporaryFolder()
    const path = folder.join('a.db')
    {
      using device = openDevice(path)
      await device.client.open()
      device.db.exec('UPDATE _sync_apply_state SET apply_mode = 1')
    }
    using device = openDevice(path)
    device.db.exec(`${user} ('u1', 'Ada', 'a@x')`)
    assert.equal(dirty(device.db).length, 1)
  })

  it('replaces a trigger whose text differs', async () => {
    await using folder = await temporaryFolder()
    const path = folder.join('a.db')
    {
      using device = openDevice(path)
      device.db.exec(
        'DROP TRIGGER trg_users_ai; CREATE TRIGGER trg_users_ai AFTER INSERT ON users BEGIN SELECT 1; END',
      )
    }
    using device = openDevice(path)
    device.db.exec(`${user} ('u1', 'Ada', 'a@x')`)
    assert.equal(dirty(device.db).length, 1)
  })

  it('captures the rows that were there before, once', async () => {
    await using folder = await temporaryFolder()
    const path = folder.join('a.db')
    {
      using db = new DatabaseSync(path)
      db.exec(`${businessSqlite} ${user} ('u2', 'Bob', 'b@x'), ('u1', 'Ada', 'a@x')`)
    }
    for (let i = 0; i < 2; i++) {
      using device = openDevice(path)
      await device.client.open()
      assert.deepEqual(
        dirty(device.db).map((row) => (row as { k: string }).k),
        ['{"id":"u1"}', '{"id":"u2"}'],
      )
    }
  })

  it('refuses a database that syncs with another schema', async () => {
    await using folder = await temporaryFolder()
    openDevice(folder.join('a.db'))[Symbol.dispose]()
    assert.throws(() => openDevice(folder.join('a.db'), { schema: 'other' }), { code: 'rows/other-schema' })
  })
})

describe('R-55 ownership', () => {
  it('belongs to one client per file until it is closed, also by another path', async () => {
    await using folder = await temporaryFolder()
    using first = openDevice(folder.join('a.db'))
    symlinkSync(folder.join('a.db'), folder.join('b.db'))
    for (const name of ['a.db', 'b.db'])
      assert.throws(() => openDevice(folder.join(name)), { code: 'rows/already-owned' })
    first.client.close()
    first.client.close()
    await assert.rejects(first.client.open(), { code: 'rows/closed' })
    openDevice(folder.join('b.db'))[Symbol.dispose]()
  })
})

describe('R-56 capture', () => {
  it('keeps one dirty row per key, with its first base and its first place', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(
      `INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version) VALUES ('business', 'users', '{"id":"u1"}', 7)`,
    )
    device.db.exec(
      `${user} ('u1', 'Ada', 'a@x'); ${user} ('u2', 'Bob', 'b@x'); UPDATE users SET name = 'Ada L' WHERE id = 'u1'`,
    )
    device.db.exec(
      `UPDATE _sync_row_state SET row_version = 9; UPDATE users SET email = 'l@x' WHERE id = 'u1'`,
    )
    const rows = dirty(device.db) as { k: string; op: string; base: number; payload: string }[]
    assert.deepEqual(
      rows.map(({ k, op, base }) => [k, op, base]),
      [
        ['{"id":"u1"}', 'UPDATE', 7],
        ['{"id":"u2"}', 'INSERT', 0],
      ],
    )
    assert.deepEqual(JSON.parse(rows[0]!.payload), {
      id: 'u1',
      name: 'Ada L',
      email: 'l@x',
      created_at: null,
      updated_at: null,
    })
  })

  it('sees cascades and the writes of other triggers', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`CREATE TRIGGER greeting AFTER INSERT ON users BEGIN INSERT INTO categories (id, name) VALUES (NEW.id, 'of ' || NEW.name); END;
      ${user} ('u1', 'Ada', 'a@x'); INSERT INTO categories VALUES ('c1', 'child', 'u1'); DELETE FROM categories WHERE id = 'u1'`)
    assert.deepEqual(
      (dirty(device.db) as { t: string; k: string; op: string }[])
        .map(({ t, k, op }) => `${t} ${k} ${op}`)
        .sort(),
      ['categories {"id":"c1"} DELETE', 'categories {"id":"u1"} DELETE', 'users {"id":"u1"} INSERT'],
    )
  })

  it('turns a changed key into a deletion and an insertion', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`${user} ('u1', 'Ada', 'a@x'); UPDATE users SET id = 'u2'`)
    assert.deepEqual(
      (dirty(device.db) as { k: string; op: string }[]).map(({ k, op }) => [k, op]),
      [
        ['{"id":"u1"}', 'DELETE'],
        ['{"id":"u2"}', 'INSERT'],
      ],
    )
  })

  it('writes local JSON: exact integers, bytes as hex, NULL as null, any text', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db
      .prepare('INSERT INTO typed_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        '<&>\u2028"\\\n',
        'Tom & <Jerry>',
        null,
        9007199254740993n,
        1,
        0.1 + 0.2,
        Uint8Array.of(0, 17, 255),
        null,
      )
    const [row] = dirty(device.db) as { k: string; payload: string }[]
    assert.equal(row!.k, JSON.stringify({ id: '<&>\u2028"\\\n' }))
    assert.match(row!.payload, /"count_value":9007199254740993,/)
    assert.match(row!.payload, /"data":"0011ff"/)
    assert.match(row!.payload, /"rating":0.30000000000000004/)
    assert.equal((JSON.parse(row!.payload) as { note: null }).note, null)
  })

  it('refuses a number that is not finite where it is written, and leaves nothing of it', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    const insert = device.db.prepare(
      'INSERT INTO typed_rows (id, name, enabled_flag, rating) VALUES (?, ?, ?, ?)',
    )
    assert.throws(() => insert.run('t1', 'x', 1, Number.POSITIVE_INFINITY), /SYNC_VALUE_NOT_FINITE/)
    assert.deepEqual(dirty(device.db), [])
    assert.deepEqual(rowsOf(device.db, 'SELECT * FROM typed_rows'), [])
  })

  it('captures through INSERT OR REPLACE and upserts', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`${user} ('u1', 'Ada', 'a@x'); INSERT OR REPLACE INTO users (id, name, email) VALUES ('u1', 'Bea', 'a@x');
      ${user} ('u1', 'Cleo', 'a@x') ON CONFLICT DO UPDATE SET name = excluded.name; INSERT OR IGNORE INTO users (id, name, email) VALUES ('u1', 'no', 'no')`)
    const rows = dirty(device.db) as { payload: string }[]
    assert.deepEqual(
      rows.map(({ payload }) => (JSON.parse(payload) as { name: string }).name),
      ['Cleo'],
    )
  })
})

describe('R-57 freezing', () => {
  it('orders upserts parents first and deletions children first, each as edited', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version) VALUES
      ('business', 'users', '{"id":"old"}', 3), ('business', 'posts', '{"id":"old"}', 4)`)
    device.db.exec(`UPDATE _sync_apply_state SET apply_mode = 1; ${user} ('old', 'Old', 'o@x');
      INSERT INTO posts (id, title, content, author_id) VALUES ('old', 't', 'c', 'old'); UPDATE _sync_apply_state SET apply_mode = 0;
      BEGIN; DELETE FROM users WHERE id = 'old'; DELETE FROM posts WHERE id = 'old'; COMMIT;
      BEGIN; INSERT INTO posts (id, title, content, author_id) VALUES ('p1', 't', 'c', 'u1'); ${user} ('u2', 'B', 'b'); ${user} ('u1', 'A', 'a'); COMMIT`)
    freezeAll(device.db)
    assert.deepEqual(outbox(device.db), [
      { t: 'users', k: '{"id":"u2"}', op: 'INSERT', base: 0 },
      { t: 'users', k: '{"id":"u1"}', op: 'INSERT', base: 0 },
      { t: 'posts', k: '{"id":"p1"}', op: 'INSERT', base: 0 },
      { t: 'posts', k: '{"id":"old"}', op: 'DELETE', base: 4 },
      { t: 'users', k: '{"id":"old"}', op: 'DELETE', base: 3 },
    ])
    assert.deepEqual(dirty(device.db), [])
  })

  it('forgets a row that was created and deleted before any sync, also when there is nothing else', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`${user} ('u1', 'A', 'a'); DELETE FROM users`)
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 1)
    assert.equal(freezeAll(device.db), undefined)
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
  })

  it('writes the wire form: dashed UUIDs, base64, and the hash of all of it', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    const id = '00112233445566778899aabbccddeeff'
    device.db.exec(
      `INSERT INTO files VALUES (x'${id}', 'f', x'001122ff'); INSERT INTO file_reviews VALUES (x'11${id.slice(2)}', 'r', x'${id}')`,
    )
    const frozen = freezeAll(device.db)
    const rows = rowsOf(
      device.db,
      'SELECT wire_key_json, wire_payload FROM _sync_outbox_rows ORDER BY row_ordinal',
    )
    assert.deepEqual(rows, [
      {
        wire_key_json: '{"id":"00112233-4455-6677-8899-aabbccddeeff"}',
        wire_payload: '{"data":"ABEi/w==","id":"00112233-4455-6677-8899-aabbccddeeff","name":"f"}',
      },
      {
        wire_key_json: '{"id":"11112233-4455-6677-8899-aabbccddeeff"}',
        wire_payload:
          '{"file_id":"00112233-4455-6677-8899-aabbccddeeff","id":"11112233-4455-6677-8899-aabbccddeeff","review":"r"}',
      },
    ])
    assert.match(frozen!.requestHash, /^[0-9a-f]{64}$/)
  })

  it('thawed, puts rows back before later edits, which keep their newer payload', async () => {
    await using folder = await temporaryFolder()
    using device = openDevice(folder.join('a.db'))
    await device.client.open()
    device.db.exec(`${user} ('u1', 'A', 'a'), ('u2', 'B', 'b')`)
    freezeAll(device.db)
    device.db.exec(`${user} ('u3', 'C', 'c'); UPDATE users SET name = 'A2' WHERE id = 'u1'`)
    transact(nodeDriver(device.db), () => thaw(nodeDriver(device.db)))
    assert.deepEqual(
      (dirty(device.db) as { payload: string }[]).map(
        ({ payload }) => (JSON.parse(payload) as { name: string }).name,
      ),
      ['A2', 'B', 'C'],
    )
    assert.equal(rowsOf(device.db, 'SELECT * FROM _sync_outbox_rows').length, 0)
  })
})
