import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { RowsClient } from '../../src/planes/rows/client/index.ts'
import { nodeDriver } from '../../src/planes/rows/client/node-driver.sqlite.ts'
import { startPostgres } from '../harness/postgres.ts'
import { startServer } from './server.ts'
import { postgresTables, type Row, rows, sqliteTables, tableNames } from './tables.ts'

const total = Number(process.env.SYNCLINE_TEST_BENCH_ROWS ?? 50_000)
const edits = Number(process.env.SYNCLINE_TEST_BENCH_EDITS ?? 1_000)

/**
 * B10: rows in ten tables with foreign keys from one SQLite client over PostgreSQL to another, as a share of copying the same
 * rows into the same tables by COPY in the same run; then single edits, from the write here to the commit there, and to the
 * other client. Everything is durable on both sides (`synchronous` FULL, PostgreSQL's defaults).
 */
export async function run(): Promise<Record<string, unknown>> {
  await using postgres = await startPostgres()
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  const pool = new pg.Pool({ connectionString: postgres.url })
  try {
    await pool.query(`${postgresTables('copied')}\n${postgresTables('synced')}`)
    const data = rows(total)
    const copySeconds = await seconds(() => copyAll(pool, data))
    using server = await startServer(postgres.url)
    using a = await device(join(folder, 'a.db'), server.url)
    using b = await device(join(folder, 'b.db'), server.url)
    const captureSeconds = await seconds(async () => insertAll(a.db, data))
    const before = process.cpuUsage()
    const pushSeconds = await seconds(() => a.client.pushPending())
    const pullSeconds = await seconds(() => b.client.pullToStable())
    const cpu = process.cpuUsage(before)
    assertSame(a.db, b.db)
    const syncSeconds = pushSeconds + pullSeconds
    const latency = await measureEdits(a, b)
    return {
      rows: data.length,
      copyRowsPerSecond: Math.round(data.length / copySeconds),
      rowsPerSecond: Math.round(data.length / syncSeconds),
      shareOfCopy: Number((copySeconds / syncSeconds).toFixed(3)),
      captureSeconds: Number(captureSeconds.toFixed(2)),
      pushSeconds: Number(pushSeconds.toFixed(2)),
      pullSeconds: Number(pullSeconds.toFixed(2)),
      // Of both clients; the server and PostgreSQL are processes of their own.
      clientCpuSeconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(2)),
      edits,
      ...latency,
      clientPeakMb: Math.round(process.resourceUsage().maxRSS / 1024),
    }
  } finally {
    await pool.end()
    await rm(folder, { recursive: true, force: true })
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** One COPY per table, all in one transaction, as fast as PostgreSQL takes it from one connection. */
async function copyAll(pool: pg.Pool, data: readonly Row[]): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    for (const table of tableNames) {
      const lines = data
        .filter((row) => row.table === table)
        .map((row) =>
          ['ada', row.id, row.parentId ?? '\\N', row.title, row.body, row.amount, row.createdAt].join('\t'),
        )
      const stream = client.query(copyFrom(`copy copied.${table} from stdin`))
      await pipeline(Readable.from([`${lines.join('\n')}\n`]), stream)
    }
    await client.query('commit')
  } finally {
    client.release()
  }
}

function insertAll(db: DatabaseSync, data: readonly Row[]): void {
  db.exec('BEGIN')
  for (const table of tableNames) {
    const insert = db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?, ?)`)
    for (const row of data)
      if (row.table === table)
        insert.run(row.id, row.parentId, row.title, row.body, row.amount, row.createdAt)
  }
  db.exec('COMMIT')
}

interface BenchDevice extends Disposable {
  readonly db: DatabaseSync
  readonly client: RowsClient
}

async function device(path: string, url: string): Promise<BenchDevice> {
  const db = new DatabaseSync(path)
  db.exec(sqliteTables())
  const client = new RowsClient({
    db: nodeDriver(db),
    baseUrl: url,
    token: () => 'ada',
    schema: 'synced',
    tables: tableNames.map((tableName) => ({ tableName, syncKeyColumnName: 'id' })),
    uploadLimit: 5_000,
    sha256: () => createHash('sha256'),
  })
  await client.open()
  await client.attach('ada')
  return {
    db,
    client,
    [Symbol.dispose]() {
      client.close()
      db.close()
    },
  }
}

async function measureEdits(a: BenchDevice, b: BenchDevice): Promise<Record<string, number>> {
  const committed: number[] = []
  const arrived: number[] = []
  const update = a.db.prepare(
    `UPDATE t5 SET title = ?, amount = ? WHERE id = (SELECT id FROM t5 LIMIT 1 OFFSET ?)`,
  )
  for (let i = 0; i < edits; i++) {
    const started = performance.now()
    update.run(`edited ${i}`, i, i % 500)
    await a.client.pushPending()
    committed.push(performance.now() - started)
    await b.client.pullToStable()
    arrived.push(performance.now() - started)
  }
  assertSame(a.db, b.db)
  return {
    commitP50Ms: quantile(committed, 0.5),
    commitP99Ms: quantile(committed, 0.99),
    arrivedP50Ms: quantile(arrived, 0.5),
    arrivedP99Ms: quantile(arrived, 0.99),
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((x, y) => x - y)
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1))
}

function assertSame(a: DatabaseSync, b: DatabaseSync): void {
  for (const table of tableNames) {
    const [x, y] = [a, b].map((db) => {
      const hash = createHash('sha256')
      for (const row of db.prepare(`SELECT * FROM ${table} ORDER BY id`).iterate())
        hash.update(JSON.stringify(row))
      return hash.digest('hex')
    })
    if (x !== y) throw new Error(`the clients differ in ${table}`)
  }
}
