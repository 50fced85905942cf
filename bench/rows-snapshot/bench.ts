import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { usageOf } from '../harness/measured-command.ts'
import { startPostgres } from '../harness/postgres.ts'
import { startServer } from '../rows/server.ts'
import { postgresTables, tableNames } from '../rows/tables.ts'

const total = Number(process.env.SYNCLINE_TEST_BENCH_ROWS ?? 1_000_000)

/**
 * A scope with so many rows is frozen and served by a server of its own process, from PostgreSQL, and taken by a client of
 * its own process into SQLite. Above all it is about memory, which must not grow with the snapshot on either side.
 */
export async function run(): Promise<Record<string, unknown>> {
  await using postgres = await startPostgres()
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  const pool = new pg.Pool({ connectionString: postgres.url })
  try {
    await pool.query(postgresTables('synced'))
    using server = await startServer(postgres.url)
    await fill(pool)
    const { sums, ...client } = await runClient(join(folder, 'a.db'), server.url)
    const expected = await sumsOf(pool)
    if (sums !== expected) throw new Error(`the client holds ${sums}, the server ${expected}`)
    const { peakMb, cpuSeconds } = await usageOf(server.pid)
    return { ...client, serverPeakMb: peakMb, serverCpuSeconds: cpuSeconds }
  } finally {
    await pool.end()
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * As if one bundle had brought all rows, without the hour of making it: business rows and their versions are what a snapshot
 * is taken from. Nothing is analyzed, as after a first upload.
 */
async function fill(pool: pg.Pool): Promise<void> {
  const perTable = Math.ceil(total / tableNames.length)
  const id = (table: number, n: string) =>
    `('${table.toString(16).padStart(8, '0')}-0000-4000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`
  await pool.query(`
    begin;
    set local session_replication_role = replica;
    insert into sync.user_state (user_id, next_bundle_seq) values ('ada', 2);
    insert into sync.scope_state (user_pk, state_code, initialized_at, initialized_by_source_id)
      select user_pk, 2, now(), 'filler' from sync.user_state;
    insert into sync.bundle_log (user_pk, bundle_seq, source_id, source_bundle_id, row_count, byte_count, bundle_hash)
      select user_pk, 1, 'filler', 1, ${total}, 0, decode(repeat('00', 32), 'hex') from sync.user_state;
    ${tableNames
      .map(
        (name, t) => `
    insert into synced.${name} select 'ada', ${id(t, 'n')}, ${t === 0 ? 'null' : id(t - 1, 'n')}, 'Title ' || n,
      'A body of some length, as notes and tasks have it: ' || n::bigint * 104729 || ' and ' || n || '.', n::bigint * 1000003,
      '2026-03-24T18:42:11+00:00' from generate_series(0, ${Math.min(perTable, total - t * perTable) - 1}) n;`,
      )
      .join('')}
    insert into sync.row_state (user_pk, table_id, key_bytes, bundle_seq)
      select user_pk, c.table_id, uuid_send(r.id), 1 from sync.user_state, sync.table_catalog c join (
        ${tableNames.map((name) => `select '${name}' as name, id from synced.${name}`).join(' union all ')}
      ) r on r.name = c.table_name;
    commit`)
}

interface ClientResult {
  readonly rows: number
  /** Of each table: rows and the sum of their amounts. */
  readonly sums: string
}

async function runClient(file: string, url: string): Promise<ClientResult> {
  const script = fileURLToPath(new URL('client-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  return JSON.parse(output)
}

async function sumsOf(pool: pg.Pool): Promise<string> {
  const sums = tableNames.map((name) => `(select count(*) || ':' || sum(amount) from synced.${name})`)
  const { rows } = await pool.query<{ sums: string }>(`select concat_ws(' ', ${sums.join(', ')}) as sums`)
  return rows[0]!.sums
}
