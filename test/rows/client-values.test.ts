import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { postgresServer } from '../helpers/postgres-server.ts'
import { rowsOf } from '../helpers/rows-tables.ts'
import { addUser, deviceRows, ready, rowsWorld, serverRows } from '../helpers/rows-world.ts'

const postgres = postgresServer()

describe('R-71 values', () => {
  it('converge on all devices, whichever way they came, and make nothing dirty', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    const insert = a.db.prepare('INSERT INTO typed_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
    const values: readonly [string | null, bigint | null, number | null, Uint8Array | null, string | null][] =
      [
        [null, null, null, null, null],
        ['', 0n, 0, new Uint8Array(0), '2026-03-24T18:42:11+05:30'],
        [
          '<&>"\\\u2028\t😀é\u0007',
          9007199254740993n,
          6.57111473696007,
          Uint8Array.of(0, 17, 34, 255),
          '2026-03-24T18:42:11.123456Z',
        ],
        [
          'x'.repeat(100_000),
          9223372036854775807n,
          1.7976931348623157e308,
          new Uint8Array(50_000).fill(7),
          '1999-12-31T23:59:59.5-11:00',
        ],
        ['-', -9223372036854775808n, 5e-324, Uint8Array.of(0), '2026-03-24T18:42:11+00:00'],
        ['~', -1n, -0.1, Uint8Array.of(255), '2026-03-24 18:42:11+02'],
      ]
    for (const [note, count, rating, data, at] of values)
      insert.run(crypto.randomUUID(), 'typed', note, count, 1, rating, data, at)
    await a.client.sync()
    await b.client.sync()
    const c = await ready(world.device('c'))
    for (const device of [a, b, c]) {
      assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
      assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
      const counts = device.db
        .prepare('SELECT CAST(count_value AS TEXT) AS n FROM typed_rows ORDER BY count_value')
        .all()
      assert.deepEqual(
        counts.map(({ n }) => n),
        [null, '-9223372036854775808', '-1', '0', '9007199254740993', '9223372036854775807'],
      )
      assert.equal((await device.client.sync()).pushOutcome, 'no_change')
    }
    b.db.exec(`UPDATE typed_rows SET count_value = 9007199254740995 WHERE count_value = 9007199254740993`)
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(deviceRows(a.db), deviceRows(b.db))
    assert.equal(rowsOf(a.db, `SELECT 1 FROM typed_rows WHERE count_value = 9007199254740995`).length, 1)
  })

  it('numeric keeps every digit in a TEXT column, JSON is nested on the wire, booleans are 0 and 1', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    a.db.exec(`INSERT INTO notes (id, title, amount, done, tags, due) VALUES
      ('n1', 't', '12345678901234567890.12345', 1, '{"z":[1,null,{"big":9007199254740993}],"a":"x"}', '2026-02-28'), ('<n&2>', NULL, NULL, 0, NULL, NULL)`)
    await a.client.sync()
    await b.client.sync()
    const c = await ready(world.device('c'))
    const { rows } = await world.database.pool.query(
      `select jsonb_typeof(tags) as type, tags->'z'->2->>'big' as big, done from business.notes where id = 'n1'`,
    )
    assert.deepEqual(rows, [{ type: 'object', big: '9007199254740993', done: true }])
    for (const device of [a, b, c]) {
      assert.deepEqual(
        rowsOf(device.db, `SELECT amount, done, tags -> '$.z[2].big' AS big, due FROM notes WHERE id = 'n1'`),
        [{ amount: '12345678901234567890.12345', done: 1, big: '9007199254740993', due: '2026-02-28' }],
      )
      assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
      assert.equal((await device.client.sync()).pushOutcome, 'no_change')
    }
  })
})

describe('R-72 three devices', () => {
  it('that push without pulling, then pull, hold the same', async () => {
    await using world = await rowsWorld(postgres)
    const devices = [
      await ready(world.device('a')),
      await ready(world.device('b')),
      await ready(world.device('c')),
    ]
    for (let round = 0; round < 3; round++)
      for (const [i, device] of devices.entries()) {
        addUser(device, `${i} ${round}`)
        await device.client.pushPending()
      }
    for (const { client } of devices) await client.pullToStable()
    for (const { db } of devices) assert.deepEqual(deviceRows(db), await serverRows(world.database))
  })
})

describe('the law of pulling', () => {
  it('P-R-1 for every cut, two parts equal one, with pruning in between', async () => {
    await using world = await rowsWorld(postgres, {
      config: { retainedBundlesPerUser: 4, retentionPruneBatchSize: 100 },
    })
    const writer = await ready(world.device('writer'))
    const whole = await ready(world.device('whole'))
    let run = 0
    const edit = fc.record({
      kind: fc.constantFrom('add', 'add', 'rename', 'remove', 'child'),
      which: fc.nat(9),
    })
    const script = fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 })
    await fc.assert(
      fc.asyncProperty(script, fc.nat(7), fc.nat(3), async (bundles, cut, page) => {
        using parts = await ready(world.device(`parts${++run}`, { downloadLimit: page + 1 }))
        for (const [i, edits] of bundles.entries()) {
          for (const { kind, which } of edits) perform(writer.db, kind, which)
          await writer.client.pushPending()
          if (i === cut % bundles.length) await parts.client.pullToStable()
        }
        await parts.client.pullToStable()
        await whole.client.pullToStable()
        const expected = await serverRows(world.database)
        assert.deepEqual(deviceRows(parts.db), expected)
        assert.deepEqual(deviceRows(whole.db), expected)
        assert.equal(parts.client.lastBundleSeqSeen(), whole.client.lastBundleSeqSeen())
        const versions =
          'SELECT table_name, key_json, row_version FROM _sync_row_state WHERE deleted = 0 ORDER BY 1, 2'
        assert.deepEqual(rowsOf(parts.db, versions), rowsOf(whole.db, versions))
      }),
      { numRuns: 12 },
    )
  })
})

function perform(db: import('node:sqlite').DatabaseSync, kind: string, which: number): void {
  const id = `00000000-0000-4000-8000-00000000000${which}`
  const other = `00000000-0000-4000-8000-00000000000${(which * 7 + 3) % 10}`
  if (kind === 'add' || kind === 'rename')
    db.prepare(
      `INSERT INTO categories VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET name = excluded.name`,
    ).run(id, kind)
  if (kind === 'remove') db.prepare('DELETE FROM categories WHERE id = ?').run(id)
  if (kind === 'child' && id !== other)
    db.prepare(
      `INSERT INTO categories SELECT ?, 'child', id FROM categories WHERE id = ? ON CONFLICT DO UPDATE SET name = 'again'`,
    ).run(id, other)
}
