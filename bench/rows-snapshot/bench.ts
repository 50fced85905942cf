import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { tableNames } from '../rows/tables.ts'

const total = Number(process.env.SYNCLINE_TEST_BENCH_ROWS ?? 1_000_000)

/**
 * A client of its own process takes a snapshot with a row for every number up to `total`. The server only makes up the chunks
 * that it is asked for, so that what is measured is the client: above all its memory, which must not grow with the snapshot.
 */
export async function run(): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json')
    response.end(
      request.method === 'DELETE' ? undefined : JSON.stringify(answer(new URL(request.url!, 'http://x'))),
    )
  })
  try {
    const url = await listen(server)
    const script = fileURLToPath(new URL('client-process.ts', import.meta.url))
    const child = spawn(process.execPath, [script, join(folder, 'a.db'), url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
    return JSON.parse(output)
  } finally {
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true, force: true })
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const snapshot = { snapshot_id: '11111111-1111-4111-8111-111111111111', snapshot_bundle_seq: 7 }

function answer({ pathname, searchParams }: URL): object {
  if (pathname === '/sync/capabilities')
    return { protocol_version: 'v1', features: { connect_lifecycle: true } }
  if (pathname === '/sync/connect') return { resolution: 'remote_authoritative' }
  if (pathname === '/sync/snapshot-sessions')
    return { ...snapshot, row_count: total, byte_count: 0, expires_at: '2030-01-01T00:00:00Z' }
  const held = Number(searchParams.get('after_row_ordinal'))
  const end = Math.min(total, held + Number(searchParams.get('max_rows')))
  const rows = Array.from({ length: end - held }, (_, i) => row(held + i))
  return { ...snapshot, rows, next_row_ordinal: end, has_more: end < total }
}

/** As the server orders them: by table, then by key. */
function row(ordinal: number): object {
  const perTable = Math.ceil(total / tableNames.length)
  const [t, i] = [Math.floor(ordinal / perTable), ordinal % perTable]
  const id = (table: number, number: number) =>
    `${table.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
  return {
    schema: 'synced',
    table: tableNames[t],
    key: { id: id(t, i) },
    row_version: 1 + (ordinal % 7),
    payload: {
      id: id(t, i),
      parent_id: t === 0 ? null : id(t - 1, i),
      title: `Title ${i}`,
      body: `A body of some length, as notes and tasks have it: ${i * 104_729} and ${i}.`,
      amount: i * 1_000_003,
      created_at: '2026-03-24T18:42:11+00:00',
    },
  }
}
