import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { postgresServer } from '../helpers/postgres-server.ts'
import { businessSqlite, rowsOf } from '../helpers/rows-tables.ts'
import {
  addPost,
  addUser,
  changed,
  deviceRows,
  type RowsWorld,
  ready,
  rowsWorld,
  serverRows,
  userNames,
} from '../helpers/rows-world.ts'

const postgres = postgresServer()
const isPull = (request: string) => request === 'GET /sync/pull'
const isSnapshotChunk = (request: string) => request.startsWith('GET /sync/snapshot-sessions/')

/** One user per bundle, each committed by its own push. */
async function bundles(world: RowsWorld, names: readonly string[]): Promise<void> {
  using writer = await ready(world.device('writer'))
  for (const name of names) {
    addUser(writer, name)
    await writer.client.pushPending()
  }
}

describe('R-62 pulling', () => {
  it('refuses while rows are dirty or a push is under way', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'a')
    await assert.rejects(device.client.pullToStable(), { code: 'rows/dirty-rows' })
    device.line.before = (request) => {
      if (request.endsWith('/chunks')) throw new TypeError('cut')
    }
    await assert.rejects(device.client.pushPending())
    await assert.rejects(device.client.pullToStable(), { code: 'rows/outbox-pending' })
  })

  it('keeps the pages before a bad one, and never passes a bundle that is not applied', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a', { downloadLimit: 2 }))
    await bundles(world, ['1', '2', '3', '4', '5'])
    // biome-ignore lint/suspicious/noExplicitAny: bodies of answers
    const lies: readonly [string, (body: any) => void][] = [
      // First: it can only be told on a page that is not the first of its round.
      ['a moved ceiling', (body) => (body.stable_bundle_seq = 4)],
      ['a gap in the middle', (body) => (body.bundles[1].bundle_seq = 9)],
      ['a bundle twice', (body) => (body.bundles[1].bundle_seq = 3)],
      ['a bundle above the ceiling', (body) => (body.bundles[1].bundle_seq = 6)],
      ['an unknown table', (body) => (body.bundles[1].rows[0].table = 'secrets')],
      ['another schema', (body) => (body.bundles[1].rows[0].schema = 'public')],
      ['a wrong hash', (body) => (body.bundles[1].bundle_hash = '0'.repeat(64))],
      ['a wrong count', (body) => (body.bundles[1].row_count = 2)],
      ['a wrong version', (body) => (body.bundles[1].rows[0].row_version = 1)],
      ['a changed value', (body) => (body.bundles[1].rows[0].payload.name = 'Mallory')],
      ['no source', (body) => delete body.bundles[1].source_id],
      ['nothing', (body) => (body.bundles = [])],
      ['no list', (body) => (body.bundles = { length: 1 })],
    ]
    for (const [what, change] of lies) {
      device.line.after = (request, response) => (isPull(request) ? fromThird(response, change) : undefined)
      await assert.rejects(device.client.pullToStable(), { code: 'rows/server-answer' }, what)
      assert.equal(device.client.lastBundleSeqSeen(), 2, what)
      assert.deepEqual(userNames(device), ['1', '2'], what)
    }
    device.line.after = undefined
    await device.client.pullToStable()
    assert.deepEqual(userNames(device), ['1', '2', '3', '4', '5'])

    // biome-ignore lint/suspicious/noExplicitAny: bodies of answers
    async function fromThird(response: Response, change: (body: any) => void): Promise<Response> {
      return changed(response, (body) => {
        if (body.bundles[0]?.bundle_seq === 3) change(body)
      })
    }
  })

  it('keeps the bundles before one that does not fit the tables here', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    await bundles(world, ['1', '2', 'no', '4'])
    device.db.exec(
      `CREATE TRIGGER picky BEFORE INSERT ON users WHEN NEW.name = 'no' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: mine'); END`,
    )
    await assert.rejects(device.client.pullToStable(), { code: 'rows/cannot-apply' })
    assert.equal(device.client.lastBundleSeqSeen(), 2)
    assert.deepEqual(userNames(device), ['1', '2'])
    device.db.exec('DROP TRIGGER picky')
    await device.client.pullToStable()
    assert.deepEqual(userNames(device), ['1', '2', '4', 'no'])
  })

  it('leaves an edit made meanwhile alone: the next push finds the conflict (§12 no. 3)', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(
      world.device('b', {
        resolver: ({ localPayload }) =>
          localPayload === null ? { kind: 'accept-server' } : { kind: 'keep-local' },
      }),
    )
    const id = addUser(a, 'first')
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE users SET name = 'of a'`)
    addUser(a, 'other')
    await a.client.sync()
    b.line.before = (request) => {
      if (isPull(request)) b.db.exec(`UPDATE users SET name = 'of b' WHERE id = '${id}'`)
    }
    await b.client.sync()
    b.line.before = undefined
    assert.deepEqual(userNames(b), ['of b', 'other'])
    assert.equal(b.client.pendingSyncStatus().pendingRowCount, 1)
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(userNames(a), ['of b', 'other'])
    assert.deepEqual(deviceRows(a.db), await serverRows(world.database))
  })

  it('asks what becomes of a new row whose parent was deleted elsewhere, instead of losing it', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    a.db.exec(`INSERT INTO categories VALUES ('${crypto.randomUUID()}', 'parent', NULL)`)
    await a.client.sync()
    await b.client.sync()
    a.db.exec('DELETE FROM categories')
    await a.client.sync()
    b.line.before = (request) => {
      if (!isPull(request)) return
      b.line.before = undefined
      b.db.exec(`INSERT INTO categories SELECT '${crypto.randomUUID()}', 'child', id FROM categories`)
    }
    await assert.rejects(b.client.sync(), { code: 'rows/dirty-rows' })
    await assert.rejects(b.client.sync(), { code: 'rows/push-rejected' })
    assert.equal(rowsOf(b.db, `SELECT * FROM categories`).length, 2)
    b.db.exec(`DELETE FROM categories WHERE name = 'child'`)
    await b.client.sync()
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })
})

describe('R-63 rebuilding', () => {
  const pruning = { config: { retainedBundlesPerUser: 2, retentionPruneBatchSize: 100 } }

  it('takes over where the history does not reach back, and goes on from there', async () => {
    await using world = await rowsWorld(postgres, pruning)
    const device = await ready(world.device('a'))
    await bundles(world, ['1'])
    await device.client.pullToStable()
    await bundles(world, ['2', '3', '4', '5'])
    const report = await device.client.pullToStable()
    assert.equal(report.outcome, 'applied_snapshot')
    assert.equal(report.restore?.rowCount, 5)
    assert.equal(device.client.lastBundleSeqSeen(), 5)
    await bundles(world, ['6'])
    assert.equal((await device.client.pullToStable()).outcome, 'applied_incremental')
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('that fails keeps rows and checkpoint and blocks sync until it succeeds, each time from the start', async () => {
    await using world = await rowsWorld(postgres, pruning)
    const device = await ready(world.device('a', { snapshotChunkRows: 2 }))
    await bundles(world, ['1'])
    await device.client.pullToStable()
    await bundles(world, ['2', '3', '4', '5'])
    // biome-ignore lint/suspicious/noExplicitAny: bodies of answers
    const lies: readonly [string, (body: any) => void][] = [
      ['another snapshot', (body) => (body.snapshot_id = crypto.randomUUID())],
      ['another moment', (body) => (body.snapshot_bundle_seq = 2)],
      ['a wrong cursor', (body) => body.next_row_ordinal++],
      ['an early end', (body) => (body.has_more = false)],
      ['an endless loop', (body) => Object.assign(body, { rows: [], has_more: true, next_row_ordinal: 2 })],
      ['another schema', (body) => (body.rows[0].schema = 'public')],
      ['an unknown column', (body) => (body.rows[0].payload.admin = true)],
      [
        'rows without end',
        (body) =>
          Object.assign(body, { rows: [...body.rows, ...body.rows, ...body.rows], next_row_ordinal: 8 }),
      ],
    ]
    for (const [what, change] of lies) {
      let chunks = 0
      device.line.after = (request, response) => {
        if (!isSnapshotChunk(request) || ++chunks !== 2) return undefined
        // Nothing is left of the attempt before.
        assert.ok(rowsOf(device.db, 'SELECT 1 FROM _sync_snapshot_stage').length <= 2, what)
        return changed(response, change)
      }
      await assert.rejects(
        what === lies[0]![0] ? device.client.pullToStable() : device.client.rebuild(),
        { code: 'rows/server-answer' },
        what,
      )
      assert.deepEqual(userNames(device), ['1'], what)
      assert.equal(device.client.lastBundleSeqSeen(), 1, what)
      for (const refused of [device.client.pullToStable(), device.client.pushPending(), device.client.sync()])
        await assert.rejects(refused, (error: { code: string }) =>
          ['rows/rebuild-required', 'rows/operation-in-progress'].includes(error.code),
        )
    }
    device.line.after = undefined
    device.line.requests.length = 0
    assert.equal((await device.client.rebuild()).outcome, 'applied_snapshot')
    assert.equal(
      device.line.requests.filter((request) => request === 'POST /sync/snapshot-sessions').length,
      1,
    )
    assert.deepEqual(userNames(device), ['1', '2', '3', '4', '5'])
    assert.equal((await device.client.sync()).remoteOutcome, 'already_at_target')
  })

  it('carries edits over, those made while it failed too (§12 no. 5)', async () => {
    await using world = await rowsWorld(postgres, pruning)
    const device = await ready(world.device('a'))
    await bundles(world, ['1', '2'])
    await device.client.pullToStable()
    await bundles(world, ['3', '4', '5', '6'])
    device.line.before = (request) => {
      if (isSnapshotChunk(request)) throw new TypeError('cut')
    }
    await assert.rejects(device.client.pullToStable())
    const id = addUser(device, 'new here')
    addPost(device, id)
    device.db.exec(`UPDATE users SET name = '1 edited' WHERE name = '1'; DELETE FROM users WHERE name = '2'`)
    await assert.rejects(device.client.sync(), { code: 'rows/rebuild-required' })
    device.line.before = undefined
    await device.client.rebuild()
    assert.deepEqual(userNames(device), ['1 edited', '3', '4', '5', '6', 'new here'])
    await device.client.sync()
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('says which edits contradict what the server has, and drops only those', async () => {
    await using world = await rowsWorld(postgres, pruning)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    const parent = crypto.randomUUID()
    a.db.exec(`INSERT INTO categories VALUES ('${parent}', 'parent', NULL)`)
    await a.client.sync()
    await b.client.sync()
    const child = crypto.randomUUID()
    b.db.exec(
      `INSERT INTO categories VALUES ('${child}', 'child', '${parent}'); INSERT INTO notes (id, title) VALUES ('mine', 'taken')`,
    )
    addUser(b, 'kept')
    a.db.exec(`DELETE FROM categories; INSERT INTO notes (id, title) VALUES ('theirs', 'taken')`)
    await a.client.sync()
    const { restore } = await b.client.rebuild()
    assert.deepEqual(
      [...restore!.droppedEdits].sort((x, y) => (x.table < y.table ? -1 : 1)),
      [
        { table: 'categories', key: child },
        { table: 'notes', key: 'mine' },
      ],
    )
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(userNames(a), ['kept'])
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('follows a server that was put back to a backup (§12 no. 7)', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    await bundles(world, ['1', '2'])
    await device.client.pullToStable()
    device.db.exec('UPDATE _sync_attachment_state SET last_bundle_seq_seen = 7')
    assert.equal((await device.client.pullToStable()).outcome, 'applied_snapshot')
    assert.equal(device.client.lastBundleSeqSeen(), 2)
    assert.deepEqual(userNames(device), ['1', '2'])
  })

  it('writes only what differs, so that a watching application hears of nothing else', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    await bundles(world, ['1', '2'])
    await device.client.pullToStable()
    device.db.exec(`CREATE TABLE heard (what); CREATE TRIGGER h1 AFTER UPDATE ON users BEGIN INSERT INTO heard VALUES (1); END;
      CREATE TRIGGER h2 AFTER DELETE ON users BEGIN INSERT INTO heard VALUES (1); END`)
    await device.client.rebuild()
    assert.deepEqual(rowsOf(device.db, 'SELECT * FROM heard'), [])
  })
})

describe('R-64 foreign keys while applying', () => {
  it('need to hold at the end only: children first, cycles, across the borders of chunks', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const [t1, t2] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']
    const [m1, m2] = ['33333333-3333-4333-8333-333333333333', '44444444-4444-4444-8444-444444444444']
    a.db.exec(`BEGIN; INSERT INTO teams VALUES ('${t1}', 'one', '${m1}'), ('${t2}', 'two', '${m2}');
      INSERT INTO team_members VALUES ('${m1}', 'm1', '${t2}'), ('${m2}', 'm2', '${t1}');
      INSERT INTO categories VALUES ('${t1}', 'child', '${t2}'), ('${t2}', 'parent', NULL); COMMIT`)
    await a.client.sync()
    const b = await ready(world.device('b', { snapshotChunkRows: 1 }))
    const c = await ready(world.device('c'))
    await c.client.sync()
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
    a.db.exec('DELETE FROM teams')
    await a.client.sync()
    await b.client.sync()
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
    assert.deepEqual(rowsOf(b.db, 'PRAGMA foreign_key_check'), [])
  })

  it('that are checked at once, where the application made them so, hold as well', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const ddl = businessSqlite.replaceAll('DEFERRABLE INITIALLY DEFERRED', '')
    const b = await ready(world.device('b', { ddl }))
    const [parent, child] = [crypto.randomUUID(), crypto.randomUUID()]
    a.db.exec(
      `INSERT INTO categories VALUES ('${child}', 'child', NULL), ('${parent}', 'parent', NULL);
       UPDATE categories SET parent_id = '${parent}' WHERE id = '${child}'`,
    )
    await a.client.sync()
    await b.client.sync()
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('an update of a parent leaves its children alone', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    const parent = crypto.randomUUID()
    a.db.exec(
      `INSERT INTO categories VALUES ('${parent}', 'parent', NULL), ('${crypto.randomUUID()}', 'child', '${parent}')`,
    )
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE categories SET name = 'renamed' WHERE parent_id IS NULL`)
    await a.client.sync()
    await b.client.sync()
    assert.deepEqual(
      rowsOf(b.db, 'SELECT name FROM categories ORDER BY name').map((row) => (row as { name: string }).name),
      ['child', 'renamed'],
    )
    assert.equal(b.client.pendingSyncStatus().pendingRowCount, 0)
  })

  it('unique values may swap between rows of one bundle', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    a.db.exec(`INSERT INTO notes (id, title) VALUES ('1', 'x'), ('2', 'y')`)
    await a.client.sync()
    await b.client.sync()
    for (const sql of [
      `UPDATE notes SET title = 'z' WHERE id = '1'`,
      `UPDATE notes SET title = 'x' WHERE id = '2'`,
      `UPDATE notes SET title = 'y' WHERE id = '1'`,
    ]) {
      a.db.exec(sql)
      await a.client.sync()
    }
    await b.client.sync()
    assert.deepEqual(rowsOf(b.db, 'SELECT id, title FROM notes ORDER BY id'), [
      { id: '1', title: 'y' },
      { id: '2', title: 'x' },
    ])
    assert.deepEqual(rowsOf(b.db, 'PRAGMA foreign_keys'), [{ foreign_keys: 1 }])
  })
})
