import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRowsClientError } from '../../src/planes/rows/client/client-error.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { rowsOf } from '../helpers/rows-tables.ts'
import {
  addPost,
  addUser,
  bundleCount,
  changed,
  deviceRows,
  ready,
  rowsWorld,
  serverRows,
  someTime,
  userNames,
} from '../helpers/rows-world.ts'

const postgres = postgresServer()
const breaks = () => {
  throw new TypeError('connection reset')
}
const isChunk = (request: string) => request.endsWith('/chunks')
const isCommit = (request: string) => request.endsWith('/commit')
const isCommittedRows = (request: string) => request.startsWith('GET /sync/committed-bundles')

describe('R-58 edits during a push', () => {
  for (const [moment, matches] of [
    ['upload', isChunk],
    ['commit', isCommit],
    ['the fetch of the committed rows', isCommittedRows],
  ] as const)
    it(`survive ${moment}, rebased on the committed version, and go with the next push`, async () => {
      await using world = await rowsWorld(postgres)
      const device = await ready(world.device('a'))
      // A server that answers with other values than were sent has its rows fetched.
      const [kept, edited, removed, again] = ['kept', 'edited', 'removed', 'again'].map((name) =>
        addUser(device, name),
      )
      device.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z' WHERE id = '${kept}'`)
      device.line.before = (request) => {
        if (!matches(request)) return
        device.line.before = undefined
        device.db.exec(`UPDATE users SET name = 'edited 2' WHERE id = '${edited}'; DELETE FROM users WHERE id = '${removed}';
          DELETE FROM users WHERE id = '${again}'`)
        addUser(device, 'again 2', again)
        addUser(device, 'new')
      }
      await device.client.pushPending()
      assert.deepEqual(
        rowsOf(device.db, 'SELECT op, base_row_version AS base FROM _sync_dirty_rows ORDER BY op, base'),
        [
          { op: 'DELETE', base: 1 },
          { op: 'INSERT', base: 0 },
          { op: 'UPDATE', base: 1 },
          { op: 'UPDATE', base: 1 },
        ],
      )
      assert.deepEqual(userNames(device), ['again 2', 'edited 2', 'kept', 'new'])
      assert.equal((await device.client.sync()).pushOutcome, 'committed')
      assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
      assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
    })

  it('that nothing captured show by the absence of their row, which is deleted with the next push', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'kept')
    const lost = addUser(device, 'lost')
    device.line.before = (request) => {
      if (!isCommit(request)) return
      device.line.before = undefined
      // As INSERT OR REPLACE removes rows: no trigger sees it.
      device.db.exec(`UPDATE _sync_apply_state SET apply_mode = 1; DELETE FROM users WHERE id = '${lost}';
        UPDATE _sync_apply_state SET apply_mode = 0`)
    }
    await device.client.pushPending()
    assert.deepEqual(rowsOf(device.db, 'SELECT op, base_row_version AS base FROM _sync_dirty_rows'), [
      { op: 'DELETE', base: 1 },
    ])
    assert.equal((await device.client.sync()).pushOutcome, 'committed')
    assert.deepEqual(userNames(device), ['kept'])
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('come from no echo: what the server sends back makes nothing dirty, also when it differs', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    device.db.exec(
      `INSERT INTO users VALUES ('${crypto.randomUUID()}', 'a', 'a', '2026-01-01T02:00:00.5+02:00', '2026-01-01T00:00:00Z')`,
    )
    await device.client.sync()
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
    const [row] = rowsOf(device.db, 'SELECT created_at FROM users') as { created_at: string }[]
    assert.equal(row!.created_at, '2026-01-01T00:00:00.5+00:00')
  })
})

describe('R-59 a push that was cut off', () => {
  for (const [moment, side, matches] of [
    ['after the freeze', 'before', (request: string) => request === 'POST /sync/push-sessions'],
    ['after a chunk', 'before', isCommit],
    ['with the answer to a chunk', 'after', isChunk],
    ['with the answer to the commit', 'after', isCommit],
    ['before the replay', 'before', isCommittedRows],
    ['in the middle of the committed rows', 'after', isCommittedRows],
  ] as const)
    it(`${moment} ends in exactly one bundle and an empty outbox, in the next process`, async () => {
      await using world = await rowsWorld(postgres)
      const config = { downloadLimit: 2, uploadLimit: 2, retry: { enabled: false } }
      const first = await ready(world.device('a', config))
      for (const name of ['1', '2', '3', '4', '5']) addUser(first, name)
      first.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z'`)
      first.line[side] = (request: string) => (matches(request) ? breaks() : undefined)
      await assert.rejects(first.client.sync(), { code: 'rows/unreachable' })
      assert.notEqual(first.client.pendingSyncStatus().pendingRowCount, 0)
      first[Symbol.dispose]()
      const second = await ready(world.device('a', config))
      assert.equal((await second.client.pushPending()).outcome, 'committed')
      assert.equal(await bundleCount(world.database), 1)
      assert.deepEqual(rowsOf(second.db, 'SELECT state FROM _sync_outbox_bundle'), [{ state: 'none' }])
      assert.equal(second.client.pendingSyncStatus().pendingRowCount, 0)
      assert.deepEqual(deviceRows(second.db), await serverRows(world.database))
    })

  it('and whose bundle was pruned meanwhile is found in the snapshot, and not sent again', async () => {
    await using world = await rowsWorld(postgres, { config: { retainedBundlesPerUser: 1 } })
    const first = await ready(world.device('a', { retry: { enabled: false } }))
    addUser(first, 'pushed')
    first.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z'`)
    first.line.before = (request) => (isCommittedRows(request) ? breaks() : undefined)
    await assert.rejects(first.client.pushPending(), { code: 'rows/unreachable' })
    const { currentSourceId } = first.client.sourceInfo()
    first[Symbol.dispose]()
    const peer = await ready(world.device('b'))
    for (const name of ['1', '2']) {
      addUser(peer, name)
      await peer.client.pushPending()
    }
    const second = await ready(world.device('a'))
    const { outcome, restore } = await second.client.pushPending()
    assert.deepEqual([outcome, restore?.rowCount], ['committed', 3])
    assert.equal(second.client.sourceInfo().currentSourceId, currentSourceId)
    assert.equal(second.client.pendingSyncStatus().pendingRowCount, 0)
    addUser(second, 'next')
    await second.client.sync()
    assert.deepEqual(userNames(second), ['1', '2', 'next', 'pushed'])
    assert.deepEqual(deviceRows(second.db), await serverRows(world.database))
  })

  it('while it seeded the scope is found committed, although the scope is initialized since (§12 no. 1)', async () => {
    await using world = await rowsWorld(postgres)
    const device = world.device('a', { retry: { enabled: false } })
    await device.client.open()
    addUser(device, 'seed')
    await device.client.attach('ada')
    device.line.after = (request) => (isCommit(request) ? breaks() : undefined)
    await assert.rejects(device.client.pushPending(), { code: 'rows/unreachable' })
    device.line.after = undefined
    assert.equal((await device.client.pushPending()).outcome, 'committed')
    assert.equal(await bundleCount(world.database), 1)
  })

  it('whose number the server knows with other rows starts anew as another source, and loses no edit', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'before')
    await device.client.sync()
    // As if the file had been put back to a backup made before the push.
    device.db.exec(`UPDATE _sync_source_state SET next_source_bundle_id = 1`)
    addUser(device, 'after')
    await assert.rejects(device.client.sync(), { code: 'rows/recovery-required' })
    await device.client.rebuild()
    await device.client.sync()
    assert.deepEqual(userNames(device), ['after', 'before'])
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })
})

describe('R-60 committed rows that cannot be right', () => {
  // biome-ignore lint/suspicious/noExplicitAny: bodies of answers
  const lies: readonly [string, (body: any) => void][] = [
    ['another hash', (body) => (body.bundle_hash = 'a'.repeat(64))],
    ['a changed value', (body) => (body.rows[0].payload.name = 'Mallory')],
    ['another count', (body) => (body.row_count = 7)],
    ['a missing row', (body) => body.rows.pop()],
    ['another source', (body) => (body.source_id = 'other')],
    ['another number', (body) => (body.source_bundle_id = 9)],
    ['another bundle', (body) => (body.bundle_seq = 9)],
    ['a wrong cursor', (body) => (body.next_row_ordinal = 5)],
    ['no end', (body) => Object.assign(body, { rows: [], has_more: true, next_row_ordinal: 0 })],
    ['another schema', (body) => (body.rows[0].schema = 'public')],
    ['an unknown table', (body) => (body.rows[0].table = 'sqlite_schema')],
    ['a missing column', (body) => delete body.rows[0].payload.email],
    ['an unknown column', (body) => (body.rows[0].payload.admin = true)],
    ['a missing key', (body) => (body.rows[0].key = {})],
    ['a missing payload', (body) => delete body.rows[0].payload],
    ['another version', (body) => (body.rows[0].row_version = 99)],
    ['no rows at all', (body) => delete body.rows],
  ]
  it('are refused without any change here, whatever is wrong with them', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'one')
    addUser(device, 'two')
    device.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z'`)
    const before = deviceRows(device.db)
    for (const [what, change] of lies) {
      device.line.after = (request, response) =>
        isCommittedRows(request) ? changed(response, change) : undefined
      await assert.rejects(device.client.pushPending(), { code: 'rows/server-answer' }, what)
      assert.deepEqual(deviceRows(device.db), before, what)
      assert.deepEqual(rowsOf(device.db, 'SELECT * FROM _sync_row_state'), [], what)
      assert.equal(device.client.lastBundleSeqSeen(), 0, what)
    }
    device.line.after = undefined
    await device.client.sync()
    assert.equal(await bundleCount(world.database), 1)
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })
})

describe('R-61 the checkpoint after an own push', () => {
  it('moves only to the next bundle; what peers committed before is still pulled', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    addUser(a, 'a1')
    await a.client.pushPending()
    assert.equal(a.client.lastBundleSeqSeen(), 1)
    addUser(b, 'b1')
    await b.client.pushPending()
    assert.equal(b.client.lastBundleSeqSeen(), 0)
    addUser(b, 'b2')
    await b.client.pushPending()
    await b.client.pullToStable()
    assert.equal(b.client.lastBundleSeqSeen(), 3)
    await a.client.pullToStable()
    assert.deepEqual(userNames(b), ['a1', 'b1', 'b2'])
    assert.deepEqual(deviceRows(a.db), deviceRows(b.db))
  })
})

describe('a push the server refuses', () => {
  it('names the row, leaves every edit editable, and goes through once the row is mended', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'fine')
    device.db.exec(`INSERT INTO notes (id, title, amount) VALUES ('n1', 'too cheap', '-1')`)
    await assert.rejects(device.client.sync(), (error) => {
      assert.ok(isRowsClientError(error, 'rows/push-rejected'))
      assert.deepEqual(error.details.row, { table: 'notes', key: 'n1' })
      return error.details.reason === 'check'
    })
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 2)
    assert.deepEqual(rowsOf(device.db, 'SELECT state FROM _sync_outbox_bundle'), [{ state: 'none' }])
    device.db.exec(`UPDATE notes SET amount = '1.50' WHERE id = 'n1'`)
    await device.client.sync()
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('may be given up row by row: new rows go, known ones become what the server has', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    device.db.exec(`INSERT INTO notes (id, title, amount) VALUES ('n1', 'one', '1')`)
    await device.client.sync()
    device.db.exec(
      `UPDATE notes SET amount = '-1' WHERE id = 'n1'; INSERT INTO notes (id, title, amount) VALUES ('n2', 'two', '-2')`,
    )
    addUser(device, 'kept')
    await assert.rejects(device.client.sync(), { code: 'rows/push-rejected' })
    await device.client.discardPending([
      { table: 'notes', key: 'n1' },
      { table: 'notes', key: 'n2' },
    ])
    await device.client.sync()
    assert.deepEqual(rowsOf(device.db, 'SELECT id, amount FROM notes'), [{ id: 'n1', amount: '1' }])
    assert.deepEqual(userNames(device), ['kept'])
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('with the 500 of a 0.2.x server is asked about, and its rows are editable again (§12 no. 12)', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'fine')
    device.line.after = (request, response) =>
      isCommit(request) && response.status === 200
        ? Response.json({ error: 'push_session_commit_failed', message: 'ERROR: something' }, { status: 500 })
        : undefined
    // The commit was made; the false answer must not have the rows sent twice.
    await device.client.sync()
    assert.equal(await bundleCount(world.database), 1)
    device.line.after = (request, response) =>
      isCommit(request) && response.status === 422
        ? Response.json(
            { error: 'push_session_commit_failed', message: 'violates check constraint' },
            { status: 500 },
          )
        : undefined
    device.db.exec(`INSERT INTO notes (id, title, amount) VALUES ('n1', 'too cheap', '-1')`)
    await assert.rejects(device.client.sync(), { code: 'rows/push-rejected' })
    device.db.exec('DELETE FROM notes')
    await device.client.sync()
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('drops what a trigger of the server suppressed, and fetches what it changed (§12 no. 11)', async () => {
    await using world = await rowsWorld(postgres)
    await world.database.pool.query(`
      create function business.no_spam() returns trigger language plpgsql as $$
        begin if new.name = 'spam' then return null; end if; new.email := lower(new.email); return new; end $$;
      create trigger a_no_spam before insert on business.users for each row execute function business.no_spam()`)
    const device = await ready(world.device('a'))
    const spam = addUser(device, 'spam')
    const eve = addUser(device, 'Eve')
    const changed: unknown[] = []
    device.client.subscribe(({ tables }) => changed.push(...tables.flatMap(({ keys }) => keys)))
    await device.client.sync()
    assert.deepEqual(changed, [eve, spam])
    assert.deepEqual(rowsOf(device.db, 'SELECT name, email FROM users'), [{ name: 'Eve', email: 'eve@x' }])
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
  })

  it('because it is too large is halved: chunks by the server’s limit of rows, bundles by its limit of rows', async () => {
    await using world = await rowsWorld(postgres, { config: { maxRowsPerPushChunk: 3, maxRowsPerBundle: 7 } })
    const device = await ready(world.device('a'))
    for (let i = 0; i < 20; i++) addPost(device, addUser(device, `u${i}`))
    await device.client.sync()
    assert.equal(device.client.pendingSyncStatus().pendingRowCount, 0)
    assert.equal(await bundleCount(world.database), 6)
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })
})

it('what was transferred is counted, chunk by chunk, until that is reset', async () => {
  await using world = await rowsWorld(postgres)
  const device = await ready(world.device('a', { uploadLimit: 2, downloadLimit: 2, snapshotChunkRows: 2 }))
  for (const name of ['1', '2', '3', '4', '5']) addUser(device, name)
  // Spelled differently by the server, so that the rows have to be fetched.
  device.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z'`)
  await device.client.pushPending()
  await device.client.rebuild()
  assert.deepEqual(device.client.transferDiagnostics(), {
    snapshotSessionsCreated: 1,
    snapshotChunksFetched: 3,
    pushSessionsCreated: 1,
    pushChunksUploaded: 3,
    committedBundleChunksRead: 3,
  })
  device.client.resetTransferDiagnostics()
  assert.ok(Object.values(device.client.transferDiagnostics()).every((count) => count === 0))
})

it('progress and changes are reported', async () => {
  await using world = await rowsWorld(postgres)
  const a = await ready(world.device('a'))
  const b = await ready(world.device('b'))
  const id = addUser(a, 'x')
  const steps = new Set<string>()
  await a.client.sync({ onProgress: ({ step }) => steps.add(step) })
  assert.ok(steps.has('uploading') && steps.has('pulling'))
  const changes: unknown[] = []
  const end = b.client.subscribe((change) => changes.push(change))
  await b.client.sync()
  end()
  a.db.exec(`UPDATE users SET name = 'y', updated_at = '${someTime}'`)
  await a.client.sync()
  await b.client.sync()
  assert.deepEqual(changes, [{ origin: 'pull', tables: [{ table: 'users', keys: [id] }] }])
})
