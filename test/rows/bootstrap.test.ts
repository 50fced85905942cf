import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import pg from 'pg'
import {
  createSyncService,
  discoverSchema,
  type RegisteredTable,
  RowsError,
  type ServiceConfig,
} from '../../src/planes/rows/server/index.ts'
import { postgresServer, type TestDatabase } from '../helpers/postgres-server.ts'
import { businessSchema, businessTables } from '../helpers/rows-business.ts'
import { connected, expectOk, type PushedRow, push, rowsServer } from '../helpers/rows-server.ts'

const postgres = postgresServer()

const serviceOn = (
  { pool }: Pick<TestDatabase, 'pool'>,
  tables = businessTables,
  config: ServiceConfig = {},
) => createSyncService({ pool, config: { ...config, registeredTables: tables } })

const unsupported = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RowsError, String(error))
  assert.equal(error.code, 'unsupported_schema')
  assert.match(error.message, pattern)
  return true
}

/** Everything about schema `sync` and the triggers that a second start could have changed. */
async function fingerprint({ pool }: TestDatabase): Promise<string> {
  const { rows } = await pool.query(
    `select (select json_agg(t order by table_id) from sync.table_catalog t) as catalog,
       (select json_agg(m) from sync.meta m) as meta,
       (select json_agg(row_to_json(x)) from (select tgname, tgrelid::regclass::text as rel, oid::text from pg_trigger
          where not tgisinternal order by tgrelid::regclass::text, tgname) x) as triggers,
       (select json_agg(c.relname order by c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'sync') as relations`,
  )
  return JSON.stringify(rows[0])
}

describe('bootstrap', () => {
  it('R-1 making a service touches no database, and a service without a pool cannot begin', async () => {
    const nowhere = new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/nowhere' })
    assert.equal(serviceOn({ pool: nowhere }).isTableRegistered('business', 'users'), true)
    assert.equal(nowhere.totalCount, 0)
    const without = createSyncService({ pool: undefined as never, config: {} })
    await assert.rejects(without.bootstrap(), { code: 'configuration_invalid' })
    await nowhere.end()
  })

  it('R-2 makes the layout once, with ids by the order of names, and a second start changes nothing', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    await serviceOn(database, businessTables.toReversed()).bootstrap()
    const { rows } = await database.pool.query(
      'select table_id, table_name, sync_key_column, sync_key_kind from sync.table_catalog order by table_id',
    )
    assert.deepEqual(
      rows.map((row) => [row.table_id, row.table_name, row.sync_key_kind]),
      [
        [1, 'categories', 1],
        [2, 'file_reviews', 1],
        [3, 'files', 1],
        [4, 'notes', 2],
        [5, 'posts', 1],
        [6, 'team_members', 1],
        [7, 'teams', 1],
        [8, 'typed_rows', 1],
        [9, 'users', 1],
      ],
    )
    const meta = await database.pool.query('select * from sync.meta')
    assert.deepEqual(meta.rows, [
      { singleton_key: true, protocol_label: 'v1', layout_name: 'server_postgres_sync_v1' },
    ])
    const before = await fingerprint(database)
    await serviceOn(database).bootstrap()
    assert.equal(await fingerprint(database), before)
  })

  it('R-2 a trigger that another program made, or that was dropped, is made anew', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    await serviceOn(database).bootstrap()
    await database.pool.query(`
      drop trigger oversync_bundle_owner_guard on business.users;
      alter table business.posts disable trigger oversync_bundle_owner_guard`)
    await serviceOn(database).bootstrap()
    for (const table of ['users', 'posts'])
      await assert.rejects(
        database.pool.query(`insert into business.${table} (id) values (gen_random_uuid())`),
        {
          code: 'P0001',
        },
      )
  })

  it('R-3 refuses a database that was set up for other tables', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    const rest = businessTables.filter(({ table }) => table !== 'notes')
    await serviceOn(database, rest).bootstrap()
    await assert.rejects(serviceOn(database).bootstrap(), unsupported(/registered tables are not those/))
    for (const change of [
      `update sync.table_catalog set sync_key_column = 'other' where table_id = 1`,
      `update sync.table_catalog set sync_key_kind = 2 where table_id = 1`,
      `update sync.table_catalog set table_name = 'other' where table_id = 1`,
      `update sync.table_catalog set table_id = 99 where table_id = 1`,
      `delete from sync.table_catalog where table_id = 1`,
      `update sync.meta set layout_name = 'other'`,
      'delete from sync.meta',
    ]) {
      await database.pool.query(change)
      await assert.rejects(serviceOn(database, rest).bootstrap(), unsupported(/./), change)
      await database.pool.query('drop schema sync cascade')
      await serviceOn(database, rest).bootstrap()
    }
  })

  it('R-3 refuses a schema with one of its two marks, or with the objects of somebody else', async () => {
    for (const [sql, message] of [
      ['create schema sync; create table sync.meta (x int)', /only one of the tables/],
      ['create schema sync; create table sync.table_catalog (x int)', /only one of the tables/],
      ['create schema sync; create table sync.other (x int)', /objects of another program/],
      [
        `create schema sync; create function sync.f() returns int language sql as 'select 1'`,
        /objects of another/,
      ],
    ] as const) {
      await using database = await postgres.database()
      await database.pool.query(sql)
      await assert.rejects(serviceOn(database, []).bootstrap(), unsupported(message))
    }
  })

  const scope = '_sync_scope_id text not null'
  const key = `${scope}, id uuid not null`
  const primary = 'primary key (_sync_scope_id, id)'
  const t: RegisteredTable = { schema: 'b', table: 't', syncKeyColumns: ['id'] }
  const u: RegisteredTable = { schema: 'b', table: 'u', syncKeyColumns: ['id'] }
  const fk = 'foreign key (_sync_scope_id, u_id) references b.u (_sync_scope_id, id)'
  const parent = `create table b.u (${key}, ${primary});`

  const refused: readonly [string, string, readonly RegisteredTable[], RegExp][] = [
    ['a table that does not exist', '', [t], /does not exist/],
    [
      'a view',
      `create view b.t as select ''::text as _sync_scope_id, gen_random_uuid() as id;`,
      [t],
      /not an ordinary table/,
    ],
    ['an unlogged table', `create unlogged table b.t (${key}, ${primary});`, [t], /unlogged/],
    [
      'a reference to a table that is not registered',
      `${parent} create table b.t (${key}, u_id uuid, ${primary}, ${fk} deferrable);`,
      [t],
      /not registered/,
    ],
    [
      'a foreign key that is not deferrable',
      `${parent} create table b.t (${key}, u_id uuid, ${primary}, ${fk});`,
      [t, u],
      /DEFERRABLE/,
    ],
    [
      'a foreign key without the scope',
      `create table b.u (${key}, ${primary}, x uuid, unique (_sync_scope_id, x)); create unique index on b.u (_sync_scope_id, id, x); alter table b.u add unique (_sync_scope_id, id, x);
      create table b.t (${key}, u_id uuid, ${primary}, foreign key (_sync_scope_id, u_id, id) references b.u (_sync_scope_id, id, x) deferrable);`,
      [t, u],
      /must be \(_sync_scope_id, column\)/,
    ],
    [
      'a foreign key to something else than the sync key',
      `create table b.u (${key}, x uuid, ${primary}, unique (_sync_scope_id, x)); create table b.t (${key}, u_id uuid, ${primary}, foreign key (_sync_scope_id, u_id) references b.u (_sync_scope_id, x) deferrable);`,
      [t, u],
      /must refer to the sync key/,
    ],
    [
      'a foreign key MATCH FULL',
      `${parent} create table b.t (${key}, u_id uuid, ${primary}, foreign key (_sync_scope_id, u_id) references b.u (_sync_scope_id, id) match full deferrable);`,
      [t, u],
      /MATCH SIMPLE/,
    ],
    [
      'a scope that is not text',
      `create table b.t (_sync_scope_id varchar not null, id uuid not null, ${primary});`,
      [t],
      /must be of type text/,
    ],
    ['no scope', 'create table b.t (id uuid primary key);', [t], /no column _sync_scope_id/],
    [
      'a scope that may be null',
      `create table b.t (_sync_scope_id text, id uuid not null, unique (_sync_scope_id, id));`,
      [t],
      /NOT NULL/,
    ],
    ['an integer key', `create table b.t (${scope}, id integer not null, ${primary});`, [t], /uuid or text/],
    ['a numeric key', `create table b.t (${scope}, id numeric not null, ${primary});`, [t], /uuid or text/],
    ['no unique index on the key', `create table b.t (${key});`, [t], /needs a unique index/],
    [
      'a unique index without the scope',
      `create table b.t (${key}, x int unique, ${primary});`,
      [t],
      /must start with _sync_scope_id/,
    ],
    [
      'a partial unique index',
      `create table b.t (${key}, x int, ${primary}); create unique index on b.t (_sync_scope_id, x) where x > 0;`,
      [t],
      /partial/,
    ],
    [
      'a unique index on an expression',
      `create table b.t (${key}, x text, ${primary}); create unique index on b.t (_sync_scope_id, lower(x));`,
      [t],
      /expression/,
    ],
    ['no key', `create table b.t (${key}, ${primary});`, [{ ...t, syncKeyColumns: [] }], /exactly one/],
    [
      'several keys',
      `create table b.t (${key}, ${primary});`,
      [{ ...t, syncKeyColumns: ['id', 'x'] }],
      /exactly one/,
    ],
    [
      'a key that does not exist',
      `create table b.t (${key}, ${primary});`,
      [{ ...t, syncKeyColumns: ['x'] }],
      /no column x/,
    ],
    [
      'the scope as key',
      `create table b.t (${key}, ${primary});`,
      [{ ...t, syncKeyColumns: ['_sync_scope_id'] }],
      /cannot be _sync_scope_id/,
    ],
  ]
  it('R-4 refuses tables that cannot be synced, says why, and leaves nothing behind', async () => {
    await using database = await postgres.database()
    for (const [name, sql, tables, message] of refused) {
      await database.pool.query(`drop schema if exists b cascade; create schema b; ${sql}`)
      await assert.rejects(serviceOn(database, tables).bootstrap(), unsupported(message), name)
      const { rows } = await database.pool.query(`select to_regnamespace('sync') is null as clean`)
      assert.equal(rows[0].clean, true, name)
    }
  })

  it('R-5 takes self references, cycles, immediate but deferrable keys, text keys, and keys beside the primary key', async () => {
    await using database = await postgres.database()
    await database.pool.query(`create schema b;
      create table b.u (${scope}, n int not null, id text not null, up text, t_id uuid, primary key (_sync_scope_id, n),
        unique (_sync_scope_id, id), foreign key (_sync_scope_id, up) references b.u (_sync_scope_id, id) deferrable);
      create table b.t (${key}, u_id text, ${primary},
        foreign key (_sync_scope_id, u_id) references b.u (_sync_scope_id, id) deferrable initially immediate);
      alter table b.u add foreign key (_sync_scope_id, t_id) references b.t (_sync_scope_id, id)
        on delete set null on update cascade deferrable initially deferred`)
    const service = serviceOn(database, [
      { schema: ' B ', table: 'T', syncKeyColumns: [' ID ', 'id', ''] },
      { schema: 'b', table: 'u', syncKeyColumns: ['id'] },
    ])
    await service.bootstrap()
    assert.deepEqual([...service.discoveredSchema!.cycles.values()], [['b.t', 'b.u']])
  })

  it('R-6 orders parents before children, whatever the order of registration', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    const service = serviceOn(database, businessTables.toReversed(), {
      dependencyOverrides: { 'business.users': ['business.files'] },
    })
    await service.bootstrap()
    const { tableOrder, cycles } = service.discoveredSchema!
    const at = (name: string) => tableOrder.indexOf(`business.${name}`)
    assert.ok(at('users') < at('posts') && at('files') < at('file_reviews') && at('files') < at('users'))
    assert.equal(Math.abs(at('teams') - at('team_members')), 1)
    assert.deepEqual([...cycles.values()], [['business.team_members', 'business.teams']])
  })

  it('R-6 the order, the foreign keys and what is wrong can be had without changing anything', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    const found = await discoverSchema(database.pool, businessTables, {
      'business.users': ['business.files'],
    })
    assert.deepEqual(found.dependencies.get('business.users'), ['business.files'])
    assert.equal(found.tableOrder.length, businessTables.length)
    assert.deepEqual(
      found.foreignKeys.find(({ constraint }) => constraint === 'file_reviews_file_id_fk'),
      {
        constraint: 'file_reviews_file_id_fk',
        child: 'business.file_reviews',
        childColumns: ['_sync_scope_id', 'file_id'],
        parent: 'business.files',
        parentColumns: ['_sync_scope_id', 'id'],
        match: 's',
        onDelete: 'c',
        onUpdate: 'a',
        deferrable: true,
      },
    )
    await assert.rejects(
      discoverSchema(database.pool, [{ schema: 'business', table: 'posts', syncKeyColumns: ['id'] }]),
      unsupported(/not registered/),
    )
    const { rows } = await database.pool.query(`select to_regnamespace('sync') is null as clean`)
    assert.equal(rows[0].clean, true)
  })

  it('R-7 many processes may begin at the same time on one database', async () => {
    await using database = await postgres.database()
    await database.pool.query(businessSchema)
    await Promise.all(
      Array.from({ length: 8 }, () => serviceOn({ pool: database.openPool({ max: 1 }) }).bootstrap()),
    )
    const { rows } = await database.pool.query('select count(*)::int as n from sync.meta')
    assert.equal(rows[0].n, 1)
  })

  it('R-73 a database with the foreign keys and triggers of go-oversync is served as it is, and beside it', async () => {
    await using server = await rowsServer(postgres, { config: { retainedBundlesPerUser: 2 } })
    const { pool } = server.database
    /** As go-oversync leaves it: no objects of ours, its own triggers, and a foreign key wherever one can be. */
    const likeUpstream = async (): Promise<void> => {
      const { rows } =
        await pool.query(`select tgname as name, tgrelid::regclass::text as rel, tgargs from pg_trigger
        where tgname = 'oversync_bundle_capture_row'`)
      for (const { rel, tgargs } of rows) {
        const args = (tgargs as Buffer)
          .toString()
          .split('\0')
          .slice(0, 3)
          .map((arg) => `'${arg}'`)
        await pool.query(`
          drop trigger oversync_bundle_owner_guard on ${rel}; drop trigger oversync_bundle_capture_row on ${rel};
          create trigger oversync_bundle_owner_guard before insert or update or delete on ${rel}
            for each row execute function sync.enforce_registered_row_owner();
          create trigger oversync_bundle_capture_row after insert or update or delete on ${rel}
            for each row execute function sync.capture_registered_row_change(${args.join(', ')})`)
      }
    }
    const owned = ['row_state', 'bundle_capture_stage', 'bundle_rows', 'source_state']
    await likeUpstream()
    const ours = await pool.query(`select proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where nspname = 'sync' and proname like 'syncline%'`)
    for (const { proname } of ours.rows) await pool.query(`drop function sync.${proname} cascade`)
    await pool.query('drop table sync.syncline_request_hash')
    for (const table of owned)
      await pool.query(
        `alter table sync.${table} add foreign key (user_pk) references sync.user_state on delete cascade`,
      )
    await pool.query(`
      alter table sync.bundle_rows add constraint bundle_rows_bundle_fk foreign key (user_pk, bundle_seq)
        references sync.bundle_log on delete cascade;
      alter table sync.push_session_rows add foreign key (push_id) references sync.push_sessions on delete cascade;
      alter table sync.snapshot_session_rows add foreign key (snapshot_id) references sync.snapshot_sessions on delete cascade`)

    const exchange = async (userId: string) => {
      const device = await connected(server.device(userId, 'a'))
      const keys = Array.from({ length: 40 }, () => randomUUID())
      const row = (key: string, more: object): PushedRow => ({
        table: 'users',
        key,
        payload: { name: 'x', email: 'x' },
        ...more,
      })
      for (const [id, more] of [{}, { op: 'UPDATE', base: 1 }, { op: 'DELETE', base: 2 }].entries()) {
        const answer = await push(
          device,
          id + 1,
          keys.map((key) => row(key, more)),
        )
        assert.equal(expectOk(answer).body.row_count, 40)
      }
      const { body } = expectOk(await device.get('/sync/pull?after_bundle_seq=1'))
      assert.deepEqual(
        body.bundles.map(({ rows }: { rows: { op: string }[] }) => [rows.length, rows[0]!.op]),
        [
          [40, 'UPDATE'],
          [40, 'DELETE'],
        ],
      )
      expectOk(await device.post('/sync/snapshot-sessions'))
    }
    await serviceOn(server.database).bootstrap()
    await exchange('ann')
    await likeUpstream()
    await exchange('eve')
    await pool.query('delete from sync.user_state')
    for (const table of [...owned, 'bundle_log', 'push_session_rows', 'snapshot_session_rows'])
      assert.deepEqual((await pool.query(`select 1 from sync.${table}`)).rows, [], table)
  })
})
