import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, it } from 'node:test'
import type { BundleRow, SnapshotRow } from '../../src/planes/rows/server/index.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import {
  type Answer,
  connected,
  type Device,
  expectOk,
  type PushedRow,
  push,
  type RowsServer,
  rowsServer,
  stage,
} from '../helpers/rows-server.ts'

const postgres = postgresServer()
let server: RowsServer
before(async () => {
  server = await rowsServer(postgres)
})

let users = 0
const fresh = (on: RowsServer = server): Promise<Device> => connected(on.device(`user ${++users}`, 'a'))
const insertOf = (key: string = randomUUID(), name = 'x'): PushedRow => ({
  table: 'users',
  key,
  payload: { name, email: 'x' },
})
const note = (key: string, payload: object = {}): PushedRow => ({
  table: 'notes',
  key,
  payload: { ...payload },
})
const refusal = ({ status, body }: Answer) => [status, body?.error]
const sql = async (text: string, ...values: unknown[]) =>
  (await server.database.pool.query(text, values)).rows
const create = (device: Device, body?: unknown) => device.post('/sync/snapshot-sessions', body)
const chunk = (device: Device, id: string, query = '') => device.get(`/sync/snapshot-sessions/${id}${query}`)

async function readAll(device: Device, id: string, size: number): Promise<SnapshotRow[]> {
  const rows: SnapshotRow[] = []
  for (;;) {
    const { body } = expectOk(await chunk(device, id, `?max_rows=${size}&after_row_ordinal=${rows.length}`))
    rows.push(...body.rows)
    assert.equal(body.next_row_ordinal, rows.length)
    if (!body.has_more) return rows
  }
}

/** What a client has that applied every bundle. */
async function replay(device: Device): Promise<Map<string, SnapshotRow>> {
  const rows = new Map<string, SnapshotRow>()
  const { body } = expectOk(await device.get('/sync/pull'))
  for (const bundle of body.bundles)
    for (const { op, ...row } of bundle.rows as BundleRow[]) {
      const id = `${row.table} ${row.key.id}`
      if (op === 'DELETE') rows.delete(id)
      else rows.set(id, row as SnapshotRow)
    }
  return rows
}

describe('snapshots', () => {
  it('R-40 hold what the bundles up to them add up to, each row with its version', async () => {
    const device = await fresh()
    const ids = Array.from({ length: 12 }, () => randomUUID())
    expectOk(await push(device, 1, [...ids.map((key) => insertOf(key)), note('b'), note('é'), note('a')]))
    expectOk(
      await push(
        device,
        2,
        ids.slice(0, 4).map((key) => ({ ...insertOf(key, 'changed'), op: 'UPDATE', base: 1 })),
      ),
    )
    expectOk(
      await push(
        device,
        3,
        ids.slice(2, 6).map((key, i) => ({ table: 'users', key, op: 'DELETE', base: i < 2 ? 2 : 1 })),
      ),
    )
    const { body } = expectOk(await create(device))
    assert.deepEqual([body.snapshot_bundle_seq, body.row_count], [3, 11])
    assert.match(body.expires_at, /Z$/)
    const whole = await readAll(device, body.snapshot_id, 5000)
    assert.ok(body.byte_count > 11 * 20)
    const expected = await replay(device)
    assert.deepEqual(new Map(whole.map((row) => [`${row.table} ${row.key.id}`, row])), expected)
    assert.deepEqual(
      whole.slice(0, 3).map((row) => row.key.id),
      ['a', 'b', 'é'],
    )
    const keys = whole.slice(3).map((row) => row.key.id!)
    assert.deepEqual(keys, keys.toSorted())
    for (const size of [1, 2, 5, 10, 11])
      assert.deepEqual(await readAll(device, body.snapshot_id, size), whole)
    const again = expectOk(await create(device)).body
    assert.deepEqual(await readAll(device, again.snapshot_id, 4), whole)
    assert.deepEqual((await chunk(device, again.snapshot_id, '?after_row_ordinal=99')).body.rows, [])
  })

  it('R-40 a snapshot of an empty scope has no rows', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, {}))
    assert.deepEqual([body.snapshot_bundle_seq, body.row_count, body.byte_count], [0, 0, 0])
    const { body: page } = expectOk(await chunk(device, body.snapshot_id))
    assert.deepEqual([page.rows, page.next_row_ordinal, page.has_more], [[], 0, false])
  })

  it('R-41 stay as they are while data changes and history is pruned, until they are dropped or expire', async () => {
    await using own = await rowsServer(postgres, { config: { retainedBundlesPerUser: 1 } })
    const device = await fresh(own)
    const key = randomUUID()
    expectOk(await push(device, 1, [insertOf(key, 'before')]))
    const { body } = expectOk(await create(device))
    const frozen = await readAll(device, body.snapshot_id, 10)
    for (let id = 2; id <= 4; id++)
      expectOk(await push(device, id, [{ ...insertOf(key, `after ${id}`), op: 'UPDATE', base: id - 1 }]))
    const written = async () =>
      (await own.database.pool.query(`select xmin::text, expires_at::text from sync.snapshot_sessions`)).rows
    const before = await written()
    assert.deepEqual(await readAll(device, body.snapshot_id, 10), frozen)
    assert.deepEqual(await written(), before)

    const stranger = await fresh(own)
    const path = `/sync/snapshot-sessions/${body.snapshot_id}`
    assert.deepEqual(refusal(await stranger.get(path)), [403, 'snapshot_session_forbidden'])
    assert.deepEqual(refusal(await stranger.delete(path)), [403, 'snapshot_session_forbidden'])
    for (const unknown of [randomUUID(), 'not-a-uuid']) {
      assert.deepEqual(refusal(await chunk(device, unknown)), [404, 'snapshot_session_not_found'])
      assert.deepEqual(refusal(await device.delete(`/sync/snapshot-sessions/${unknown}`)), [
        404,
        'snapshot_session_not_found',
      ])
    }
    await own.database.pool.query(
      `update sync.snapshot_sessions set expires_at = now() - interval '1 second'`,
    )
    assert.deepEqual(refusal(await device.get(path)), [410, 'snapshot_session_expired'])
    assert.equal((await device.delete(path)).status, 204)
    assert.deepEqual(refusal(await device.get(path)), [404, 'snapshot_session_not_found'])
    assert.deepEqual((await own.database.pool.query('select * from sync.snapshot_session_rows')).rows, [])
  })

  it('R-41 expired ones are deleted by whoever makes the next, and by a sweep', async () => {
    await using own = await rowsServer(postgres)
    const device = await fresh(own)
    expectOk(await push(device, 1, [insertOf()]))
    const expired = expectOk(await create(device)).body.snapshot_id
    const expire = () =>
      own.database.pool.query(`update sync.snapshot_sessions set expires_at = now() - interval '1 second'`)
    await expire()
    expectOk(await create(device))
    assert.deepEqual(refusal(await chunk(device, expired)), [404, 'snapshot_session_not_found'])
    await expire()
    await stage(device, 2, [insertOf()])
    await own.database.pool.query(`update sync.push_sessions set expires_at = now() - interval '1 second'`)
    assert.deepEqual(await own.service.sweep(), { pushSessions: 1, snapshotSessions: 1 })
    const left = await own.database.pool.query(
      'select (select count(*) from sync.push_session_rows) + (select count(*) from sync.snapshot_session_rows) as n',
    )
    assert.equal(Number(left.rows[0].n), 0)
  })

  it('R-42 beyond a limit there is no snapshot, and no source was replaced', async () => {
    for (const [config, dimension] of [
      [{ maxRowsPerSnapshotSession: 2 }, 'row_count'],
      [{ maxBytesPerSnapshotSession: 200 }, 'byte_count'],
    ] as const) {
      await using own = await rowsServer(postgres, { config })
      const device = await fresh(own)
      expectOk(await push(device, 1, [insertOf()]))
      expectOk(await create(device))
      expectOk(await push(device, 2, [insertOf(), insertOf()]))
      const answer = await create(device, {
        source_replacement: { previous_source_id: 'a', new_source_id: 'b', reason: 'history_pruned' },
      })
      assert.deepEqual(refusal(answer), [413, 'snapshot_session_limit_exceeded'])
      assert.equal(answer.body.dimension, dimension)
      assert.ok(answer.body.actual > answer.body.limit)
      const { rows } = await own.database.pool.query(
        `select (select count(*)::int from sync.snapshot_sessions) as sessions, (select json_agg(state) from sync.source_state) as sources`,
      )
      assert.deepEqual(rows[0], { sessions: 1, sources: ['active'] })
      expectOk(await push(device, 3, [insertOf()]))
    }
  })

  it('a user has so many snapshots and pushes at a time', async () => {
    await using own = await rowsServer(postgres, {
      config: { maxSnapshotSessionsPerUser: 2, maxPushSessionsPerUser: 1 },
    })
    const device = await fresh(own)
    expectOk(await create(device))
    expectOk(await create(device))
    assert.deepEqual(refusal(await create(device)), [429, 'too_many_sessions'])
    await stage(device, 1, [insertOf()])
    const sibling = own.device(device.userId, 'b')
    const answer = await sibling.post('/sync/push-sessions', { source_bundle_id: 1, planned_row_count: 1 })
    assert.deepEqual(refusal(answer), [429, 'too_many_sessions'])
    expectOk(await create(await fresh(own)))
  })

  it('rows and history that disagree are not served', async () => {
    await using own = await rowsServer(postgres)
    const device = await fresh(own)
    expectOk(await push(device, 1, [insertOf(), insertOf()]))
    await own.database.pool.query(
      'delete from sync.row_state where ctid = (select min(ctid) from sync.row_state)',
    )
    assert.deepEqual(refusal(await create(device)), [500, 'snapshot_session_create_failed'])
    assert.deepEqual((await own.database.pool.query('select * from sync.snapshot_sessions')).rows, [])
  })
})

describe('source replacement', () => {
  const replace = (
    device: Device,
    new_source_id: string,
    previous_source_id = device.sourceId,
    reason = 'history_pruned',
  ) => create(device, { source_replacement: { previous_source_id, new_source_id, reason } })
  const states = async (device: Device) =>
    Object.fromEntries(
      (
        await sql(
          `select source_id, state || coalesce('>' || nullif(replaced_by_source_id, ''), '') as state from sync.source_state
           where user_pk = (select user_pk from sync.user_state where user_id = $1)`,
          device.userId,
        )
      ).map((row) => [row.source_id, row.state]),
    )

  it('R-43 what cannot be meant is refused', async () => {
    const device = await fresh()
    for (const body of [
      { source_replacement: { previous_source_id: 'other', new_source_id: 'b', reason: 'history_pruned' } },
      { source_replacement: { previous_source_id: 'a', new_source_id: ' ', reason: 'history_pruned' } },
      { source_replacement: { previous_source_id: 'a', new_source_id: ' a ', reason: 'history_pruned' } },
      { source_replacement: { previous_source_id: 'a', new_source_id: 'b', reason: 'because' } },
      { source_replacement: { previous_source_id: 'a', new_source_id: 'b' } },
      { source_replacement: {} },
      { unknown: true },
      [],
      '{',
    ])
      assert.deepEqual(
        refusal(await create(device, body)),
        [400, 'snapshot_session_invalid'],
        JSON.stringify(body),
      )
    assert.deepEqual(await states(device), {})
  })

  it('R-43 an unknown source is replaced, and asking again changes nothing', async () => {
    const device = await fresh()
    expectOk(await replace(device, ' b '))
    assert.deepEqual(await states(device), { a: 'retired>b', b: 'reserved' })
    expectOk(await replace(device, 'b'))
    assert.deepEqual(await states(device), { a: 'retired>b', b: 'reserved' })
    const { status, body } = await replace(device, 'c')
    assert.deepEqual([status, body.error, body.replaced_by_source_id], [409, 'source_retired', 'b'])
    expectOk(await push(server.device(device.userId, 'b'), 1, [insertOf()]))
    expectOk(await replace(device, 'b'))
    assert.deepEqual(await states(device), { a: 'retired>b', b: 'active' })
  })

  it('R-43 an active or reserved source is replaced, but by none that is known', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [insertOf()]))
    const sibling = server.device(device.userId, 'sibling')
    expectOk(await push(sibling, 1, [insertOf()]))
    assert.deepEqual(refusal(await replace(device, 'sibling')), [409, 'source_replacement_invalid'])
    expectOk(await replace(device, 'b'))
    assert.deepEqual(refusal(await replace(sibling, 'b')), [409, 'source_replacement_invalid'])
    assert.deepEqual(refusal(await replace(sibling, 'a')), [409, 'source_replacement_invalid'])
    const reserved = server.device(device.userId, 'b')
    expectOk(await replace(reserved, 'c'))
    assert.deepEqual(await states(device), {
      a: 'retired>b',
      b: 'retired>c',
      c: 'reserved',
      sibling: 'active',
    })
    assert.deepEqual(refusal(await replace(device, 'b')), [409, 'source_replacement_invalid'])
  })

  it('R-43 a successor whose record is gone is reserved again', async () => {
    const device = await fresh()
    expectOk(await replace(device, 'b'))
    await sql(
      `delete from sync.source_state where source_id = 'b' and state = 'reserved'
      and user_pk = (select user_pk from sync.user_state where user_id = $1)`,
      device.userId,
    )
    expectOk(await replace(device, 'b'))
    assert.deepEqual(await states(device), { a: 'retired>b', b: 'reserved' })
  })

  it('R-43 a retired source still reads and connects', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [insertOf()]))
    expectOk(await replace(device, 'b'))
    expectOk(await device.get('/sync/pull'))
    expectOk(await create(device))
    assert.equal(expectOk(await device.post('/sync/connect', {})).body.resolution, 'remote_authoritative')
    assert.deepEqual(
      await sql(
        `select max_committed_source_bundle_id::int as max from sync.source_state
        where source_id = 'a' and user_pk = (select user_pk from sync.user_state where user_id = $1)`,
        device.userId,
      ),
      [{ max: 1 }],
    )
  })
})
