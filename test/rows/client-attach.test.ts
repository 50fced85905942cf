import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { metadataTables } from '../../src/planes/rows/client/metadata-schema.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { rowsOf } from '../helpers/rows-tables.ts'
import { addUser, deviceRows, ready, rowsWorld, serverRows, userNames } from '../helpers/rows-world.ts'

const postgres = postgresServer()
const cut = () => {
  throw new TypeError('cut')
}
const isSnapshot = (request: string) => request.includes('/sync/snapshot-sessions')

describe('R-67 attaching', () => {
  it('needs open, and other operations need it', async () => {
    await using world = await rowsWorld(postgres)
    const { client } = world.device('a')
    await assert.rejects(client.attach('ada'), { code: 'rows/open-required' })
    assert.throws(() => client.pendingSyncStatus(), { code: 'rows/open-required' })
    await client.open()
    for (const operation of ['sync', 'pushPending', 'pullToStable', 'rebuild', 'syncThenDetach'] as const)
      await assert.rejects(client[operation](), { code: 'rows/attach-required' })
    assert.throws(() => client.lastBundleSeqSeen(), { code: 'rows/attach-required' })
  })

  it('to an empty scope starts empty; with rows it seeds', async () => {
    await using world = await rowsWorld(postgres)
    const a = world.device('a', { user: 'ada' })
    await a.client.open()
    const started = await a.client.attach(' ada ')
    assert.equal(started.status === 'connected' && started.outcome, 'started_empty')
    assert.equal(a.client.syncStatus().authority, 'authoritative_empty')
    const b = world.device('b', { user: 'bob' })
    await b.client.open()
    addUser(b, 'seed')
    const seeded = await b.client.attach('bob')
    assert.equal(seeded.status === 'connected' && seeded.outcome, 'seeded_from_local')
    assert.equal(b.client.syncStatus().authority, 'pending_local_seed')
    await b.client.sync()
    assert.equal(b.client.syncStatus().authority, 'authoritative_materialized')
  })

  it('while another device seeds is told to wait, and leaves nothing behind', async () => {
    await using world = await rowsWorld(postgres)
    const a = world.device('a')
    await a.client.open()
    addUser(a, 'of a')
    await a.client.attach('ada')
    const b = world.device('b')
    await b.client.open()
    addUser(b, 'of b')
    const before = rowsOf(b.db, 'SELECT * FROM _sync_attachment_state')
    const result = await b.client.attach('ada')
    assert.equal(result.status, 'retry_later')
    assert.ok(result.status === 'retry_later' && result.retryAfterMs >= 1_000)
    assert.deepEqual(rowsOf(b.db, 'SELECT * FROM _sync_attachment_state'), before)
    await a.client.sync()
    const again = await b.client.attach('ada')
    assert.equal(again.status === 'connected' && again.outcome, 'used_remote_state')
    assert.deepEqual(userNames(b), ['of a'])
    assert.equal(b.client.pendingSyncStatus().pendingRowCount, 0)
  })

  it('may merge the rows that were here before into those of the server (§12 no. 20)', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    addUser(a, 'of a')
    await a.client.sync()
    const b = world.device('b', { rowsBeforeAttach: 'merge' })
    await b.client.open()
    addUser(b, 'of b')
    await b.client.attach('ada')
    assert.deepEqual(userNames(b), ['of a', 'of b'])
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(userNames(a), ['of a', 'of b'])
  })

  it('leaves the database anonymous when the network fails', async () => {
    await using world = await rowsWorld(postgres)
    const device = world.device('a')
    await device.client.open()
    addUser(device, 'mine')
    for (const part of ['/sync/capabilities', '/sync/connect']) {
      device.line.before = (request) => (request.endsWith(part) ? cut() : undefined)
      await assert.rejects(device.client.attach('ada'), { code: 'rows/retries-exhausted' })
    }
    assert.deepEqual(
      rowsOf(device.db, 'SELECT binding_state AS b, attached_user_id AS u FROM _sync_attachment_state'),
      [{ b: 'anonymous', u: '' }],
    )
    addUser(device, 'another')
    device.line.before = undefined
    await device.client.attach('ada')
    await device.client.sync()
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })

  it('again makes no request; as another user it is refused', async () => {
    await using world = await rowsWorld(postgres)
    const first = await ready(world.device('a'))
    first[Symbol.dispose]()
    const second = world.device('a')
    await second.client.open()
    const resumed = await second.client.attach('ada')
    assert.equal(resumed.status === 'connected' && resumed.outcome, 'resumed_attached_state')
    assert.deepEqual(second.line.requests, [])
    await assert.rejects(second.client.attach('bob'), {
      code: 'rows/attached-to-another-user',
      details: { attachedUserId: 'ada' },
    })
  })

  it('to a server that does not know connecting says so', async () => {
    await using world = await rowsWorld(postgres)
    const { client, line } = world.device('a')
    await client.open()
    for (const answer of [
      () => new Response('', { status: 404 }),
      () => new Response('<html>', { status: 200 }),
      () => Response.json({ protocol_version: 'v1', features: {} }),
    ]) {
      line.after = answer
      await assert.rejects(client.attach('ada'), { code: 'rows/lifecycle-unsupported' })
    }
  })

  it('that was cut off in the middle is finished by the next: with what is missing, or without network', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    for (const name of ['1', '2', '3']) addUser(a, name)
    await a.client.sync()
    const first = world.device('b', { snapshotChunkRows: 1 })
    await first.client.open()
    addUser(first, 'local')
    let chunks = 0
    first.line.before = (request) =>
      request.startsWith('GET') && isSnapshot(request) && ++chunks > 2 ? cut() : undefined
    await assert.rejects(first.client.attach('ada'))
    assert.deepEqual(userNames(first), ['local'])
    assert.throws(() => addUser(first, 'late'), /SYNC_TRANSITION_PENDING/)
    first[Symbol.dispose]()
    const second = world.device('b')
    await second.client.open()
    await assert.rejects(second.client.attach('bob'), { code: 'rows/replacing-for-another-user' })
    // The apply fails once everything is staged, as a process that dies there would leave it.
    second.db.exec(`CREATE TRIGGER full BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'no'); END`)
    await assert.rejects(second.client.attach('ada'))
    second.db.exec('DROP TRIGGER full')
    await world.stopServer()
    second.line.requests.length = 0
    const result = await second.client.attach('ada')
    assert.equal(result.status === 'connected' && result.outcome, 'used_remote_state')
    assert.deepEqual(second.line.requests, [])
    assert.deepEqual(userNames(second), ['1', '2', '3'])
    addUser(second, 'allowed again')
  })

  it('again after the right to seed was lost sends what was kept', async () => {
    await using world = await rowsWorld(postgres)
    const device = world.device('a')
    await device.client.open()
    addUser(device, 'mine')
    await device.client.attach('ada')
    await world.database.pool.query(
      `update sync.scope_state set lease_expires_at = now() - interval '1 minute'`,
    )
    await assert.rejects(device.client.sync(), { code: 'rows/initialization-lost' })
    await assert.rejects(device.client.sync(), { code: 'rows/attach-required' })
    const again = await device.client.attach('ada')
    assert.equal(again.status === 'connected' && again.outcome, 'seeded_from_local')
    await device.client.sync()
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })
})

describe('R-68 detaching', () => {
  it('is blocked by edits, by an outbox in either state, and by a seed to come', async () => {
    await using world = await rowsWorld(postgres)
    const seeding = world.device('seeding', { user: 'bob' })
    await seeding.client.open()
    const id = addUser(seeding, 'x')
    await seeding.client.attach('bob')
    seeding.db.exec(`DELETE FROM _sync_dirty_rows WHERE key_json LIKE '%${id}%'`)
    assert.deepEqual(await seeding.client.detach(), { outcome: 'blocked_unsynced_data', pendingRowCount: 1 })

    const device = await ready(world.device('a'))
    addUser(device, 'x')
    assert.deepEqual(await device.client.detach(), { outcome: 'blocked_unsynced_data', pendingRowCount: 1 })
    for (const part of ['/chunks', '/rows']) {
      device.db.exec(`UPDATE users SET created_at = '2026-01-01T00:00:00Z'`)
      device.line.before = (request) => (request.endsWith(part) ? cut() : undefined)
      await assert.rejects(device.client.sync())
      assert.equal((await device.client.detach()).outcome, 'blocked_unsynced_data')
    }
    device.line.before = undefined
    const done = await device.client.syncThenDetach()
    assert.equal(done.detach.outcome, 'detached')
    assert.equal(done.remainingPendingRowCount, 0)
  })

  it('empties the managed tables, also those no longer configured, without a session; capture goes on', async () => {
    await using world = await rowsWorld(postgres)
    const first = await ready(world.device('a'))
    addUser(first, 'x')
    first.db.exec(`INSERT INTO notes (id, title) VALUES ('n', 'n')`)
    await first.client.sync()
    first[Symbol.dispose]()
    const tables = ['users', 'posts'].map((tableName) => ({ tableName, syncKeyColumnName: 'id' }))
    const second = world.device('a', { tables })
    await second.client.open()
    assert.deepEqual(await second.client.detach(), { outcome: 'detached', pendingRowCount: 0 })
    assert.deepEqual(rowsOf(second.db, 'SELECT id FROM users UNION ALL SELECT id FROM notes'), [])
    addUser(second, 'after')
    await second.client.open()
    assert.equal(second.client.pendingSyncStatus().pendingRowCount, 1)
  })

  it('and attaching as another user starts with nothing of the first (§12 no. 2)', async () => {
    await using world = await rowsWorld(postgres)
    const device = world.device('a', { user: 'ada' })
    await ready(device)
    for (const name of ['1', '2', '3']) {
      addUser(device, name)
      await device.client.sync()
    }
    const { currentSourceId } = device.client.sourceInfo()
    await device.client.detach()
    assert.notEqual(device.client.sourceInfo().currentSourceId, currentSourceId)
    device[Symbol.dispose]()
    const bob = await ready(world.device('a', { user: 'bob' }), 'bob')
    assert.equal(bob.client.lastBundleSeqSeen(), 0)
    addUser(bob, 'of bob')
    await bob.client.sync()
    assert.deepEqual(userNames(bob), ['of bob'])
    await bob.client.detach()
    bob[Symbol.dispose]()
    const again = await ready(world.device('a', { user: 'ada' }))
    assert.deepEqual(userNames(again), ['1', '2', '3'])
  })
})

describe('R-69 uninstalling', () => {
  it('removes what sync put there and nothing else; installing again works', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    device.db.exec(
      'CREATE TABLE _sync_of_others (a); CREATE TRIGGER own AFTER INSERT ON users BEGIN SELECT 1; END',
    )
    addUser(device, 'x')
    await device.client.uninstallSync()
    await assert.rejects(device.client.open(), { code: 'rows/closed' })
    const objects = (rowsOf(device.db, 'SELECT name FROM sqlite_schema') as { name: string }[]).map(
      ({ name }) => name,
    )
    assert.ok(
      !objects.some(
        (name) => (metadataTables as readonly string[]).includes(name) || name.startsWith('trg_'),
      ),
    )
    assert.ok(['users', '_sync_of_others', 'own'].every((name) => objects.includes(name)))
    assert.deepEqual(userNames(device), ['x'])
    device[Symbol.dispose]()
    const again = world.device('a')
    await again.client.open()
    assert.equal(again.client.pendingSyncStatus().pendingRowCount, 1)
    await again.client.attach('ada')
    await again.client.sync()
    assert.deepEqual(deviceRows(again.db), await serverRows(world.database))
  })
})

describe('R-66 recovery of the source', () => {
  const reasons = {
    history_pruned: { status: 409, body: { error: 'history_pruned', message: '' } },
    source_sequence_out_of_order: {
      status: 409,
      body: { error: 'source_sequence_out_of_order', message: '' },
    },
    source_sequence_changed: { status: 409, body: { error: 'source_sequence_changed', message: '' } },
    source_retired: {
      status: 409,
      body: {
        error: 'source_retired',
        message: '',
        source_id: 'x',
        replaced_by_source_id: `agreed-${randomBytes(4).toString('hex')}`,
      },
    },
  } as const
  for (const [reason, { status, body }] of Object.entries(reasons))
    it(`because of ${reason} outlives a restart, blocks sync and edits, and rotates once, keeping what was not sent`, async () => {
      await using world = await rowsWorld(postgres)
      const first = await ready(world.device('a'))
      addUser(first, 'sent')
      await first.client.sync()
      addUser(first, 'kept')
      first.db.exec(`UPDATE users SET email = 'edited@x' WHERE name = 'sent'`)
      first.line.after = (request) =>
        request === 'POST /sync/push-sessions' ? Response.json(body, { status }) : undefined
      await assert.rejects(first.client.sync(), { code: 'rows/recovery-required', details: { reason } })
      const before = first.client.sourceInfo()
      assert.equal(before.sourceRecoveryReason, reason)
      const [{ replacement }] = rowsOf(
        first.db,
        'SELECT replacement_source_id AS replacement FROM _sync_operation_state',
      ) as [{ replacement: string }]
      first[Symbol.dispose]()

      const device = await ready(world.device('a'))
      for (const operation of ['pushPending', 'pullToStable', 'sync'] as const)
        await assert.rejects(device.client[operation](), { code: 'rows/recovery-required' })
      assert.throws(() => addUser(device, 'late'), /SYNC_TRANSITION_PENDING/)
      // A rebuild whose apply fails does not rotate, here or on the server, for the next one.
      device.db.exec(
        `CREATE TRIGGER full BEFORE UPDATE ON users WHEN NEW.name = 'sent' BEGIN SELECT RAISE(ABORT, 'no'); END`,
      )
      await assert.rejects(device.client.rebuild())
      assert.equal(device.client.sourceInfo().currentSourceId, before.currentSourceId)
      device.line.before = (request) => (request.startsWith('GET') && isSnapshot(request) ? cut() : undefined)
      await assert.rejects(device.client.rebuild())
      device.line.before = undefined
      device.db.exec('DROP TRIGGER full')
      await device.client.rebuild()
      assert.deepEqual(device.client.sourceInfo(), {
        currentSourceId: replacement,
        rebuildRequired: false,
        sourceRecoveryRequired: false,
      })
      assert.deepEqual(userNames(device), ['kept', 'sent'])
      assert.equal((await device.client.pushPending()).outcome, 'committed')
      const { rows } = await world.database.pool.query(
        'select source_id, source_bundle_id::int as id from sync.bundle_log order by bundle_seq',
      )
      assert.deepEqual(rows.at(-1), { source_id: replacement, id: 1 })
      const retired = await world.database.pool.query(
        `select replaced_by_source_id as by, state from sync.source_state where source_id = $1`,
        [before.currentSourceId],
      )
      assert.deepEqual(retired.rows, [{ by: replacement, state: 'retired' }])
      assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
    })

  it('says when the server agreed on another replacement', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'x')
    device.line.after = (request) =>
      request === 'POST /sync/push-sessions'
        ? Response.json({ error: 'source_sequence_changed', message: '' }, { status: 409 })
        : undefined
    await assert.rejects(device.client.sync(), { code: 'rows/recovery-required' })
    device.line.after = (request) =>
      request === 'POST /sync/snapshot-sessions'
        ? Response.json(
            { error: 'source_retired', message: '', source_id: 'a', replaced_by_source_id: 'other' },
            { status: 409 },
          )
        : undefined
    await assert.rejects(device.client.rebuild(), { code: 'rows/replacement-diverged' })
  })

  it('takes edits along that were made while the push ran (§12 no. 5)', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'pushed')
    device.line.after = (request) => {
      if (!request.endsWith('/commit')) return undefined
      addUser(device, 'meanwhile')
      return Response.json({ error: 'source_sequence_changed', message: '' }, { status: 409 })
    }
    await assert.rejects(device.client.sync(), { code: 'rows/recovery-required' })
    device.line.after = undefined
    await device.client.rebuild()
    await device.client.sync()
    assert.deepEqual(userNames(device), ['meanwhile', 'pushed'])
    assert.deepEqual(deviceRows(device.db), await serverRows(world.database))
  })
})
