import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, it } from 'node:test'
import type { BundleTransaction } from '../../src/planes/rows/server/index.ts'
import { createSyncService, RowsError, ScopeManager } from '../../src/planes/rows/server/index.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import {
  connected,
  type Device,
  expectOk,
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

const user = (name: string) => ({ name, email: `${name}@example.com` })
let users = 0

/** A user of its own for each test, with a device. */
async function fresh(): Promise<{ readonly userId: string; readonly device: Device }> {
  const userId = `user ${++users}`
  return { userId, device: await connected(server.device(userId, 'device')) }
}

const write = (
  userId: string,
  sourceBundleId: number,
  run: (tx: BundleTransaction) => Promise<void>,
  sourceId = 'server',
) => server.service.withinSyncBundle({ userId }, { sourceId, sourceBundleId }, run)

async function rowsOf(
  device: Device,
  bundleSeq: number,
): Promise<{ op: string; table: string; id: string; name?: string }[]> {
  const { body } = expectOk(await device.get(`/sync/committed-bundles/${bundleSeq}/rows`))
  return body.rows.map(
    (row: { op: string; table: string; key: { id: string }; payload?: { name?: string } }) => ({
      op: row.op,
      table: row.table,
      id: row.key.id,
      ...(row.payload?.name === undefined ? {} : { name: row.payload.name }),
    }),
  )
}

const latest = async (device: Device): Promise<number> =>
  (await device.get('/sync/pull?max_bundles=1')).body.stable_bundle_seq

const sync = async (sql: string, ...values: unknown[]) => (await server.database.pool.query(sql, values)).rows

const insertUser = 'insert into business.users (id, name, email) values ($1, $2, $2)'

describe('guard', () => {
  it('R-8 writes outside of a bundle are refused and counted, though they roll back', async () => {
    const { userId, device } = await fresh()
    const id = randomUUID()
    expectOk(await push(device, 1, [{ table: 'users', key: id, payload: user('ada') }]))
    const count = async () => (await server.service.status()).rejected_registered_write_count
    const start = await count()
    const { pool } = server.database
    for (const [sql, values] of [
      [
        'insert into business.users (_sync_scope_id, id, name, email) values ($1, gen_random_uuid(), $1, $1)',
        [userId],
      ],
      ['update business.users set name = $2 where id = $1', [id, 'x']],
      ['delete from business.users where id = $1', [id]],
    ] as const)
      await assert.rejects(pool.query(sql, [...values]), { code: 'P0001' })
    assert.equal((await count()) - start, 3)
    assert.equal((await sync('select name from business.users where id = $1', id))[0].name, 'ada')
  })

  it('R-8 a registered table cannot be truncated', async () => {
    await assert.rejects(server.database.pool.query('truncate business.notes'), { code: '55000' })
  })

  it('R-9 within a bundle an empty scope is filled', async () => {
    const { userId, device } = await fresh()
    const id = randomUUID()
    await write(userId, 1, async (tx) => {
      await tx.query(insertUser, [id, 'ada'])
    })
    assert.deepEqual(await sync('select _sync_scope_id from business.users where id = $1', id), [
      { _sync_scope_id: userId },
    ])
    assert.deepEqual(await rowsOf(device, 1), [{ op: 'INSERT', table: 'users', id, name: 'ada' }])
  })

  it('R-9 rows of another scope cannot be written, and the attempt rolls back everything', async () => {
    const { userId, device } = await fresh()
    const other = await fresh()
    const theirs = randomUUID()
    expectOk(await push(other.device, 1, [{ table: 'users', key: theirs, payload: user('eve') }]))
    const mine = randomUUID()
    for (const [sql, values] of [
      [
        'insert into business.users (_sync_scope_id, id, name, email) values ($1, gen_random_uuid(), $1, $1)',
        [other.userId],
      ],
      ['update business.users set name = $2 where id = $1', [theirs, 'x']],
      ['delete from business.users where id = $1', [theirs]],
      ['update business.users set _sync_scope_id = $2 where id = $1', [mine, other.userId]],
    ] as const)
      await assert.rejects(
        write(userId, 1, async (tx) => {
          await tx.query(insertUser, [mine, 'mine'])
          await tx.query(sql, values)
        }),
        { code: 'P0001' },
      )
    assert.equal(await latest(device), 0)
    assert.deepEqual(await sync('select id, name from business.users where id = any($1)', [mine, theirs]), [
      { id: theirs, name: 'eve' },
    ])
  })

  it('R-9 a transaction cannot write two bundles at once', async () => {
    const { userId } = await fresh()
    await assert.rejects(
      write(userId, 1, async (tx) => {
        await tx.query(insertUser, [randomUUID(), 'ada'])
        await tx.query(`select set_config('oversync.bundle_user_id', 'eve', true)`)
        await tx.query(insertUser, [randomUUID(), 'eve'])
      }),
    )
    const { rows } = await server.database.pool.query(
      `select count(*)::int as n from business.users where _sync_scope_id = $1`,
      [userId],
    )
    assert.equal(rows[0].n, 0)
  })
})

describe('capture', () => {
  it('R-10 R-31 cascades belong to the bundle, and leave tombstones', async () => {
    const { userId, device } = await fresh()
    const [root, child, grandchild] = [randomUUID(), randomUUID(), randomUUID()]
    expectOk(
      await push(device, 1, [
        { table: 'categories', key: root, payload: { name: 'root' } },
        { table: 'categories', key: child, payload: { name: 'child', parent_id: root } },
        { table: 'categories', key: grandchild, payload: { name: 'grandchild', parent_id: child } },
      ]),
    )
    const { body } = expectOk(
      await push(device, 2, [{ table: 'categories', key: root, op: 'DELETE', base: 1 }]),
    )
    assert.equal(body.row_count, 3)
    const rows = await rowsOf(device, 2)
    assert.deepEqual(
      rows.map((row) => row.op),
      ['DELETE', 'DELETE', 'DELETE'],
    )
    assert.deepEqual(rows[0]!.id, root)
    assert.deepEqual(new Set(rows.map((row) => row.id)), new Set([root, child, grandchild]))
    const states = await sync(
      `select deleted, bundle_seq::int from sync.row_state where user_pk = (select user_pk from sync.user_state where user_id = $1)`,
      userId,
    )
    assert.deepEqual(states, Array(3).fill({ deleted: true, bundle_seq: 2 }))
  })

  it("R-10 what the host's triggers write belongs to the bundle, deferred ones too", async () => {
    await using own = await rowsServer(postgres)
    await own.database.pool.query(`
      create function business.note_user() returns trigger language plpgsql as $$ begin
        insert into business.notes (id, title) values (tg_name || new.name, tg_name || new.name); return null; end $$;
      create trigger a_now after insert on business.users for each row execute function business.note_user();
      create constraint trigger b_late after insert on business.users deferrable initially deferred
        for each row execute function business.note_user()`)
    const device = await connected(own.device('ann', 'a'))
    expectOk(await push(device, 1, [{ table: 'users', key: randomUUID(), payload: user('ada') }]))
    const rows = await rowsOf(device, 1)
    assert.deepEqual(rows.map((row) => (row.table === 'users' ? 'users' : row.id)).sort(), [
      'a_nowada',
      'b_lateada',
      'users',
    ])
  })

  it('R-11 what happened to a row within a transaction becomes one effect', async () => {
    const { userId, device } = await fresh()
    const [gone, changed, replaced, moved] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    await write(userId, 1, async (tx) => {
      await tx.query(insertUser, [replaced, 'old'])
      await tx.query(insertUser, [moved, 'moved'])
    })
    const target = randomUUID()
    await write(userId, 2, async (tx) => {
      const scoped = 'where _sync_scope_id = $1 and id = $2'
      await tx.query(insertUser, [gone, 'gone'])
      await tx.query(`delete from business.users ${scoped}`, [userId, gone])
      await tx.query(insertUser, [changed, 'first'])
      await tx.query(`update business.users set name = 'last' ${scoped}`, [userId, changed])
      await tx.query(`delete from business.users ${scoped}`, [userId, replaced])
      await tx.query(insertUser, [replaced, 'new'])
      await tx.query(`update business.users set id = $3 ${scoped}`, [userId, moved, target])
    })
    assert.deepEqual(await rowsOf(device, 2), [
      { op: 'INSERT', table: 'users', id: changed, name: 'last' },
      { op: 'UPDATE', table: 'users', id: replaced, name: 'new' },
      { op: 'DELETE', table: 'users', id: moved },
      { op: 'INSERT', table: 'users', id: target, name: 'moved' },
    ])
  })

  it('R-12 rows stand in the order of their upload, for each operation and for mixtures', async () => {
    const { device } = await fresh()
    const ids = Array.from({ length: 80 }, () => randomUUID())
    const inserts = ids.map((key) => ({ table: 'users', key, payload: user('a') }))
    expectOk(await push(device, 1, inserts))
    assert.deepEqual(
      (await rowsOf(device, 1)).map((row) => row.id),
      ids,
    )

    const shuffled = ids.toSorted(() => Math.random() - 0.5)
    expectOk(
      await push(
        device,
        2,
        shuffled.map((key) => ({ table: 'users', key, op: 'UPDATE' as const, base: 1, payload: user('b') })),
      ),
    )
    assert.deepEqual(
      (await rowsOf(device, 2)).map((row) => row.id),
      shuffled,
    )

    const mixed = shuffled.map((key, i) =>
      i % 3 === 0
        ? { table: 'users', key, op: 'DELETE' as const, base: 2 }
        : {
            table: 'users',
            key,
            op: 'UPDATE' as const,
            base: 2,
            payload: i % 2 === 0 ? user('c') : { name: 'd' },
          },
    )
    expectOk(await push(device, 3, mixed))
    assert.deepEqual(
      (await rowsOf(device, 3)).map((row) => row.id),
      shuffled,
    )

    // Runs that are captured as sets, because the deletion at the end might have cascaded.
    const others = Array.from({ length: 40 }, () => randomUUID())
    const kept = shuffled.filter((_, i) => i % 3 !== 0)
    const [last, ...updated] = kept
    expectOk(
      await push(device, 4, [
        ...others.map((key) => ({ table: 'users', key, payload: user('e') })),
        ...updated.map((key) => ({
          table: 'users',
          key,
          op: 'UPDATE' as const,
          base: 3,
          payload: user('f'),
        })),
        { table: 'users', key: last!, op: 'DELETE' as const, base: 3 },
      ]),
    )
    assert.deepEqual(
      (await rowsOf(device, 4)).map((row) => row.id),
      [...others, ...updated, last],
    )

    const rest = updated.toReversed()
    expectOk(
      await push(
        device,
        5,
        rest.map((key) => ({ table: 'users', key, op: 'DELETE' as const, base: 4 })),
      ),
    )
    assert.deepEqual(
      (await rowsOf(device, 5)).map((row) => row.id),
      rest,
    )
  })

  it('R-12 a row stands where it was touched first, though it was touched again', async () => {
    const { userId, device } = await fresh()
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()]
    await write(userId, 1, async (tx) => {
      for (const id of [a, b, c]) await tx.query(insertUser, [id, 'x'])
      await tx.query('update business.users set name = $3 where _sync_scope_id = $1 and id = $2', [
        userId,
        a,
        'y',
      ])
    })
    assert.deepEqual(
      (await rowsOf(device, 1)).map((row) => [row.id, row.name]),
      [
        [a, 'y'],
        [b, 'x'],
        [c, 'x'],
      ],
    )
  })

  it('R-10 what a trigger does that the host adds while the service runs belongs to the bundle', async () => {
    await using own = await rowsServer(postgres)
    const device = await connected(own.device('ann', 'a'))
    const keys = Array.from({ length: 40 }, () => randomUUID())
    const rows = keys.map((key) => ({ table: 'users', key, payload: user('a') }))
    expectOk(await push(device, 1, rows))
    await own.database.pool.query(`
      create function business.note() returns trigger language plpgsql as $$ begin
        insert into business.notes (id, title) values (new.id::text, new.name || new.id); return null; end $$;
      create trigger zz_note after update on business.users for each row execute function business.note()`)
    const { body } = expectOk(
      await push(
        device,
        2,
        keys.map((key) => ({ table: 'users', key, op: 'UPDATE', base: 1, payload: user('b') })),
      ),
    )
    assert.equal(body.row_count, 80)
    const effects = await rowsOf(device, 2)
    assert.deepEqual(
      effects.map(({ table, id }) => [table, id]),
      keys.flatMap((key) => [
        ['users', key],
        ['notes', key],
      ]),
    )
  })

  it('R-12 a table with triggers of the host is captured row by row: their effects come in between', async () => {
    await using own = await rowsServer(postgres)
    await own.database.pool.query(`
      create function business.note_user() returns trigger language plpgsql as $$ begin
        insert into business.notes (id, title) values (new.id::text, new.id::text); return null; end $$;
      create trigger note_user after insert on business.users for each row execute function business.note_user()`)
    const again = createSyncService({ pool: own.database.pool, config: own.service.settings })
    await again.bootstrap()
    const actor = { userId: 'ann', sourceId: 'a' }
    await again.connect(actor, { has_local_pending_rows: false })
    const keys = Array.from({ length: 40 }, () => randomUUID())
    const created = await again.createPushSession(actor, { source_bundle_id: 1, planned_row_count: 40 })
    assert.equal(created.status, 'staging')
    const rows = keys.map((id) => ({
      schema: 'business',
      table: 'users',
      key: { id },
      op: 'INSERT' as const,
      base_row_version: 0,
      payload: { id, ...user('x') },
    }))
    const pushId = created.status === 'staging' ? created.push_id : ''
    await again.uploadPushChunk(actor, pushId, { start_row_ordinal: 0, rows })
    await again.commitPushSession(actor, pushId)
    const { rows: bundle } = await again.committedBundleRows(actor, 1, undefined, 0)
    assert.equal(bundle.length, 80)
    // Each row's own effect stands before what its trigger did; the rows are in their order.
    for (const table of ['users', 'notes'])
      assert.deepEqual(
        bundle.filter((row) => row.table === table).map((row) => row.key.id),
        keys,
      )
  })

  it('R-12 a push that went through another process is applied alike', async () => {
    const { device, userId } = await fresh()
    const other = createSyncService({ pool: server.database.pool, config: server.service.settings })
    await other.bootstrap()
    const ids = Array.from({ length: 50 }, () => randomUUID())
    const id = await stage(
      device,
      1,
      ids.map((key, i) => ({
        table: 'notes',
        key,
        payload: i % 10 === 0 ? { title: key } : { title: key, amount: i },
      })),
      { chunkRows: 7 },
    )
    await other.commitPushSession({ userId, sourceId: 'device' }, id)
    assert.deepEqual(
      (await rowsOf(device, 1)).map((row) => row.id),
      ids,
    )
  })

  it('R-13 a transaction without net effect makes no bundle and uses no number', async () => {
    const { userId, device } = await fresh()
    await write(userId, 1, async () => {})
    await write(userId, 1, async (tx) => {
      const id = randomUUID()
      await tx.query(insertUser, [id, 'x'])
      await tx.query('delete from business.users where _sync_scope_id = $1 and id = $2', [userId, id])
    })
    assert.equal(await latest(device), 0)
    await write(userId, 1, async (tx) => {
      await tx.query(insertUser, [randomUUID(), 'x'])
    })
    assert.equal(await latest(device), 1)
  })

  it('R-14 what is rolled back leaves nothing', async () => {
    const { userId, device } = await fresh()
    await assert.rejects(
      write(userId, 1, async (tx) => {
        await tx.query(insertUser, [randomUUID(), 'x'])
        throw new Error('on purpose')
      }),
      /on purpose/,
    )
    assert.equal(await latest(device), 0)
    const left = await sync(
      `select (select count(*)::int from sync.bundle_capture_stage where user_pk = u.user_pk) as stage,
         (select count(*)::int from sync.row_state where user_pk = u.user_pk) as states,
         (select count(*)::int from sync.bundle_log where user_pk = u.user_pk) as bundles,
         (select count(*)::int from business.users where _sync_scope_id = u.user_id) as rows
       from sync.user_state u where user_id = $1`,
      userId,
    )
    assert.deepEqual(left, [{ stage: 0, states: 0, bundles: 0, rows: 0 }])
  })
})

describe("the server's own writes", () => {
  const manager = () => new ScopeManager(server.service)
  const code = (expected: string) => (error: unknown) => error instanceof RowsError && error.code === expected

  it('R-47 refuse what cannot be meant', async () => {
    const run = async () => {}
    await assert.rejects(manager().execWrite(' ', { writerId: 'w' }, run), code('scope_write_invalid'))
    await assert.rejects(manager().execWrite('s', { writerId: '\t' }, run), code('scope_write_invalid'))
    await assert.rejects(
      manager().execWrite('s', { writerId: 'w' }, undefined as never),
      code('scope_write_invalid'),
    )
    assert.throws(() => new ScopeManager(undefined as never), code('scope_write_invalid'))
    await assert.rejects(write('s', 0, run), code('bundle_source_invalid'))
    await assert.rejects(write('s', 1, run, ' '), code('bundle_source_invalid'))
    await assert.rejects(write('s', 1, undefined as never), code('bundle_source_invalid'))
    await assert.rejects(write('never seen', 1, run), code('scope_uninitialized'))
  })

  it('R-47 initialize a scope that nobody has used, and only such a one', async () => {
    const scope = `scope ${++users}`
    const insert = async (tx: BundleTransaction) => {
      await tx.query(insertUser, [randomUUID(), 'x'])
    }
    await assert.rejects(
      manager().execWrite(scope, { writerId: 'w' }, async () => {}),
      code('scope_write_no_captured_changes'),
    )
    const untouched = await server.device(scope, 'd').get('/sync/pull')
    assert.equal(untouched.body.error, 'scope_uninitialized')
    const first = await manager().execWrite(` ${scope} `, { writerId: ' w ' }, insert)
    assert.equal(first.autoInitialized, true)
    assert.deepEqual(
      [first.bundle.bundle_seq, first.bundle.source_id, first.bundle.source_bundle_id],
      [1, 'w', 1],
    )
    const second = await manager().execWrite(scope, { writerId: 'w' }, insert)
    assert.deepEqual(
      [second.autoInitialized, second.bundle.bundle_seq, second.bundle.source_bundle_id],
      [false, 2, 2],
    )
    const seeding = `scope ${++users}`
    expectOk(await server.device(seeding, 'd').post('/sync/connect', { has_local_pending_rows: true }))
    await assert.rejects(manager().execWrite(seeding, { writerId: 'w' }, insert), code('scope_initializing'))
  })

  it('R-47 run the callback once, and roll back when it fails', async () => {
    const scope = `scope ${++users}`
    let calls = 0
    await assert.rejects(
      manager().execWrite(scope, { writerId: 'w' }, async (tx) => {
        calls++
        await tx.query(insertUser, [randomUUID(), 'x'])
        throw Object.assign(new Error('looks as if trying again would help'), { code: '40001' })
      }),
      { code: '40001' },
    )
    assert.equal(calls, 1)
    assert.equal((await server.device(scope, 'd').get('/sync/pull')).body.error, 'scope_uninitialized')
  })

  it('R-16 R-47 are numbered like those of any source, and refused for retired ones', async () => {
    const { userId, device } = await fresh()
    const insert = async (tx: BundleTransaction) => {
      await tx.query(insertUser, [randomUUID(), 'x'])
    }
    await write(userId, 1, insert)
    await assert.rejects(write(userId, 1, insert), (error: RowsError) => {
      assert.equal(error.code, 'history_pruned')
      assert.equal(error.details.maxCommittedSourceBundleId, 1)
      return true
    })
    await assert.rejects(write(userId, 3, insert), code('source_sequence_out_of_order'))
    await write(userId, 2, insert)
    expectOk(
      await device.post('/sync/snapshot-sessions', {
        source_replacement: { previous_source_id: 'device', new_source_id: 'next', reason: 'source_retired' },
      }),
    )
    await assert.rejects(write(userId, 1, insert, 'device'), code('source_retired'))
    await assert.rejects(manager().execWrite(userId, { writerId: 'device' }, insert), code('source_retired'))
  })

  it('R-15 R-48 from many hands at once each get their own number, without a gap', async () => {
    const { userId, device } = await fresh()
    const insert = async (tx: BundleTransaction) => {
      await tx.query(insertUser, [randomUUID(), 'x'])
    }
    const others = await fresh()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        manager().execWrite(i % 5 === 4 ? others.userId : userId, { writerId: `w${i % 2}` }, insert),
      ),
    )
    const mine = results.filter((_, i) => i % 5 !== 4).map((result) => result.bundle)
    assert.deepEqual(
      mine.map((bundle) => bundle.bundle_seq).sort((a, b) => a - b),
      Array.from({ length: 16 }, (_, i) => i + 1),
    )
    for (const writer of ['w0', 'w1'])
      assert.deepEqual(
        mine
          .filter((bundle) => bundle.source_id === writer)
          .map((bundle) => bundle.source_bundle_id)
          .sort((a, b) => a - b),
        Array.from({ length: 8 }, (_, i) => i + 1),
      )
    assert.equal(await latest(device), 16)
    assert.equal(await latest(others.device), 4)
  })

  it('R-49 reach clients by pull and by snapshot', async () => {
    const { userId, device } = await fresh()
    const id = randomUUID()
    await manager().execWrite(userId, { writerId: 'w' }, async (tx) => {
      await tx.query(insertUser, [id, 'from the server'])
    })
    const { body } = expectOk(await device.get('/sync/pull'))
    assert.equal(body.bundles[0].source_id, 'w')
    assert.equal(body.bundles[0].rows[0].payload.name, 'from the server')
    const snapshot = expectOk(await device.post('/sync/snapshot-sessions')).body
    const chunk = expectOk(await device.get(`/sync/snapshot-sessions/${snapshot.snapshot_id}`)).body
    assert.equal(chunk.rows[0].key.id, id)
  })
})
