import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { build } from 'vite'
import { createSyncRouter, createSyncService, expressMiddleware } from '../../src/planes/rows/server/index.ts'

export interface TodoServer extends AsyncDisposable {
  readonly url: string
}

const schema = `
create schema if not exists todo;
create table if not exists todo.tasks (
  _sync_scope_id text not null,
  id uuid not null,
  title text not null,
  done boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (_sync_scope_id, id)
);`

/** The whole example on one port: sync routes, and the page. */
export async function serveTodo(databaseUrl: string, port = 0): Promise<TodoServer> {
  const pool = new pg.Pool({ connectionString: databaseUrl })
  await pool.query(schema)
  const service = createSyncService({
    pool,
    config: {
      registeredTables: [{ schema: 'todo', table: 'tasks', syncKeyColumns: ['id'] }],
      bundleChangeWatch: { enabled: true },
    },
  })
  await service.bootstrap()
  const stop = new AbortController()
  const listening = service.runBundleChangeListener({ signal: stop.signal }).catch(() => {})
  // A demonstration: the token is the user's name. Check yours here.
  const authenticate = (request: Request) =>
    request.headers.get('authorization')?.replace(/^Bearer /, '') ?? ''
  const sync = expressMiddleware(createSyncRouter(service, { authenticate }))
  const page = await buildPage()
  const http = createServer((request, response) => {
    sync(request, response, () => void servePage(page, request, response))
  })
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      stop.abort()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      await listening
      await service.close()
      await pool.end()
      await rm(page, { recursive: true, force: true })
    },
  }
}

/** @returns the folder with the page, its worker and SQLite */
async function buildPage(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'syncline-todo-'))
  await build({
    root: fileURLToPath(new URL('page', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, target: 'esnext' },
    worker: { format: 'es' },
  })
  return outDir
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
}

async function servePage(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  // Normalized from the root, a path cannot lead out of the folder.
  const file = join(folder, normalize(pathname === '/' ? '/index.html' : pathname))
  try {
    const content = await readFile(file)
    response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' })
    response.end(content)
  } catch {
    response.writeHead(404).end()
  }
}
