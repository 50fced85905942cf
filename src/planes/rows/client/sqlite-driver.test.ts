import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import sqlite3InitModule from '@sqlite.org/sqlite-wasm'
import fc from 'fast-check'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { nodeDriver } from './node-driver.sqlite.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { wasmDriver } from './wasm-driver.ts'

const sqlite3 = await sqlite3InitModule()

const engines: Readonly<Record<string, () => SqliteDriver>> = {
  'node:sqlite': () => nodeDriver(new DatabaseSync(':memory:')),
  'sqlite-wasm': () => wasmDriver(sqlite3, new sqlite3.oo1.DB(':memory:')),
}

for (const [engine, open] of Object.entries(engines))
  describe(`the driver on ${engine}`, () => {
    it('runs, counts what the statement changed without its triggers, and reads rows by name', () => {
      const db = open()
      db.exec(`CREATE TABLE t (a TEXT PRIMARY KEY, b); CREATE TABLE log (x);
        CREATE TRIGGER copied AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.a); INSERT INTO log VALUES (2); END`)
      assert.equal(db.run('INSERT INTO t VALUES (?, ?), (?, ?)', 'x', 1.5, 'y', null), 2)
      assert.deepEqual({ ...db.get('SELECT * FROM t WHERE a = ?', 'x') }, { a: 'x', b: 1.5 })
      assert.equal(db.get('SELECT * FROM t WHERE a = ?', 'none'), undefined)
      assert.equal(db.all('SELECT * FROM log').length, 4)
      assert.equal(db.run('UPDATE t SET b = 1'), 2)
      assert.equal(db.run('UPDATE t SET b = 1 WHERE a = ?', 'none'), 0)
    })

    it('keeps bytes, and hands them to functions and back', () => {
      const db = open()
      db.define('reversed', (value) => (value instanceof Uint8Array ? value.toReversed() : value))
      const got = db.get(
        'SELECT ? AS same, reversed(?) AS back, reversed(?) AS text',
        bytes(0, 255),
        bytes(1, 2),
        'x',
      )
      assert.deepEqual(got?.same, bytes(0, 255))
      assert.deepEqual(got?.back, bytes(2, 1))
      assert.equal(got?.text, 'x')
    })

    it('fails a statement whose function throws, and works on', () => {
      const db = open()
      db.exec('CREATE TABLE t (a)')
      db.define('picky', (value) => {
        if (value === 1) throw new Error('no ones')
        return value
      })
      assert.throws(() => db.run('INSERT INTO t SELECT picky(value) FROM json_each(?)', '[0,1]'), /no ones/)
      assert.deepEqual(db.all('SELECT * FROM t'), [])
      assert.equal(db.run('INSERT INTO t SELECT picky(value) FROM json_each(?)', '[0,2]'), 2)
    })

    it('goes on after a broken constraint with the same statement', () => {
      const db = open()
      db.exec('CREATE TABLE t (a TEXT PRIMARY KEY)')
      const insert = () => db.run('INSERT INTO t VALUES (?)', 'x')
      insert()
      assert.throws(insert, /UNIQUE/)
      db.exec('DELETE FROM t')
      assert.equal(insert(), 1)
    })

    it('knows whether a transaction is open', () => {
      const db = open()
      assert.equal(db.inTransaction, false)
      db.exec('BEGIN')
      assert.equal(db.inTransaction, true)
      db.exec('ROLLBACK')
      assert.equal(db.inTransaction, false)
    })

    it('iterates, also when left early', () => {
      const db = open()
      const numbers = () => db.iterate('SELECT value FROM json_each(?)', '[1,2,3]')
      for (const { value } of numbers()) if (value === 2) break
      assert.deepEqual(
        [...numbers()].map(({ value }) => value),
        [1, 2, 3],
      )
    })

    it('tells databases in memory apart', () => {
      const [a, b] = [open(), open()]
      assert.notEqual(a.identity, b.identity)
      assert.equal(a.identity, a.identity)
    })

    it('writes a text key into JSON as JSON.stringify does, so that triggers and the client agree on key_json', () => {
      const db = open()
      const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'))
      fc.assert(
        fc.property(text, (value) => {
          assert.equal(
            db.get(`SELECT json_object('id', ?) AS json`, value)?.json,
            JSON.stringify({ id: value.toWellFormed() }),
          )
        }),
      )
    })
  })

it('the identity of a file is the same through a symbolic link', async () => {
  await using folder = await temporaryFolder()
  using a = new DatabaseSync(folder.join('a.db'))
  symlinkSync(folder.join('a.db'), folder.join('b.db'))
  using b = new DatabaseSync(folder.join('b.db'))
  assert.equal(nodeDriver(a).identity, nodeDriver(b).identity)
})

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}
