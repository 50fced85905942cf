import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { createSyncService, ScopeManager } from '../../src/planes/rows/server/index.ts'
import type { PostgresServer, TestDatabase } from './postgres-server.ts'
import { businessSchema, businessTables as serverTables } from './rows-business.ts'
import { syncDevice } from './rows-device-sync.ts'
import { openDevice } from './rows-tables.ts'
import { deviceRows, serverRows } from './rows-world.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Where scenarios are played: devices by name, and one server. */
export interface Stage {
  /** Edits made on a device, offline, in one transaction. */
  edit(device: string, edits: (db: DatabaseSync) => void): Promise<void>
  sync(...devices: string[]): Promise<void>
  /** The device's database is gone. */
  lose(device: string): Promise<void>
  /** Whose the device is from now on; the former user is detached, with all sent. */
  hand(device: string, user: string): Promise<void>
  rows(device: string): Record<string, unknown[]>
  /** From now on the devices' clients run in the background, and watch. They are not to be edited. */
  watch(...devices: string[]): Promise<void>
  /** Waits until devices that watch hold what the server has, whoever dies meanwhile. */
  arrived(...devices: string[]): Promise<void>
  /** Rows that the server writes: a process beside the one that devices talk to. */
  write(sql: string): Promise<void>
  restartServer(): Promise<void>
}

export interface StageOptions {
  readonly postgres: PostgresServer
  /** Undefined: nothing breaks. Otherwise seeded numbers in [0, 1): processes die at moments they decide. */
  readonly chaos?: (() => number) | undefined
  /** Bundles the server keeps; few of them make it send snapshots. */
  readonly retained?: number
  /** Whether the server offers to watch. */
  readonly watching?: boolean
  /** As many companies play at the same time, on one server, each with users and devices of its own. */
  readonly companies?: number
}

/** Plays a scenario and proves that server and devices hold the same at its end, for every user. */
export async function play(
  { postgres, chaos, retained = 1_000, watching = true, companies = 1 }: StageOptions,
  scenario: (stage: Stage, company: number) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder()
  await using database = await postgres.database()
  await database.pool.query(businessSchema)
  await using server = await startServer(database, retained, watching)
  await Promise.all(
    Array.from({ length: companies }, async (_, company) => {
      await using stage = openStage({ folder, database, server, chaos, company: `c${company}` })
      await scenario(stage, company)
      await stage.proveSame()
    }),
  )
}

/** What another process sees of a device at any moment: no row without the rows it refers to, since bundles come whole. */
function wholeBundlesOnly(path: string): void {
  using db = new DatabaseSync(path, { readOnly: true })
  assert.deepEqual(db.prepare('PRAGMA foreign_key_check').all(), [], 'a part of a bundle is visible')
}

interface Setting {
  readonly folder: { join(name: string): string }
  readonly database: TestDatabase
  readonly server: ServerProcess
  readonly chaos: (() => number) | undefined
  readonly company: string
}

function openStage(setting: Setting): Stage & AsyncDisposable & { proveSame(): Promise<void> } {
  const { folder, database, server, chaos, company } = setting
  const users = new Map<string, string>()
  const watchers = new Map<string, ChildProcess>()
  const userOf = (device: string) => `${company} ${users.get(device) ?? 'ada'}`
  const path = (device: string) => folder.join(`${company}-${device}.db`)
  const prepare = async (device: string) => {
    users.set(device, users.get(device) ?? 'ada')
    using opened = openDevice(path(device))
    await opened.client.open()
  }
  const calm = (device: string) =>
    syncDevice({
      path: path(device),
      user: userOf(device),
      url: server.url,
      dieAt: 0,
      dieAfterAnswer: false,
      page: 500,
    })
  const sync = async (device: string) => {
    await prepare(device)
    if (chaos !== undefined) await storm(chaos, server, path(device), userOf(device))
    await calm(device)
  }
  const rows = (device: string) => {
    using db = new DatabaseSync(path(device))
    return deviceRows(db)
  }
  const start = async (device: string) => {
    const options = { path: path(device), user: userOf(device), url: server.url }
    const child = run('rows-watching-process.ts', [JSON.stringify(options)])
    watchers.set(device, child)
    await once(child.stdout!, 'data')
  }
  const stop = async (device: string) => {
    const child = watchers.get(device)!
    watchers.delete(device)
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }
  const stopAll = async () => {
    for (const device of [...watchers.keys()]) await stop(device)
  }
  return {
    async edit(device, edits) {
      await prepare(device)
      using opened = openDevice(path(device))
      opened.db.exec('BEGIN')
      edits(opened.db)
      opened.db.exec('COMMIT')
    },
    async sync(...devices) {
      for (const device of devices) await sync(device)
    },
    async lose(device) {
      for (const suffix of ['', '-wal', '-shm']) await rm(path(device) + suffix, { force: true })
    },
    async hand(device, user) {
      await sync(device)
      using opened = openDevice(path(device))
      await opened.client.open()
      const { outcome } = await opened.client.detach()
      if (outcome !== 'detached') throw new Error(`${device} has unsent rows`)
      users.set(device, user)
    },
    rows,
    async watch(...devices) {
      for (const device of devices) {
        await prepare(device)
        await start(device)
      }
    },
    async arrived(...devices) {
      if (chaos !== undefined && chaos() < 0.6) await server.restart()
      for (const device of devices) {
        if (chaos !== undefined && chaos() < 0.4) {
          await stop(device)
          await start(device)
        }
        const expected = JSON.stringify(await serverRows(database, userOf(device)))
        const deadline = AbortSignal.timeout(arrivesWithinMs)
        while (JSON.stringify(rows(device)) !== expected) {
          if (deadline.aborted)
            throw new Error(`${device} of ${userOf(device)} does not get what the server has`)
          wholeBundlesOnly(path(device))
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
    },
    async write(sql) {
      const service = createSyncService({
        pool: database.pool,
        config: { registeredTables: serverTables, bundleChangeWatch: { enabled: true } },
      })
      await service.bootstrap()
      const writer = { writerId: 'writer of the server' }
      await new ScopeManager(service).execWrite(userOf(''), writer, async (tx) => {
        await tx.query(sql)
      })
      await service.close()
    },
    restartServer: () => server.restart(),
    async proveSame() {
      await stopAll()
      // Twice: what the last device sends must reach the first.
      for (const device of [...users.keys(), ...users.keys()]) await calm(device)
      for (const device of users.keys())
        assert.deepEqual(
          rows(device),
          await serverRows(database, userOf(device)),
          `${device} of ${userOf(device)}`,
        )
    },
    [Symbol.asyncDispose]: stopAll,
  }
}

/** A watcher is told at once and pulls; with a server that was restarted it waits for its own pause first. */
const arrivesWithinMs = 120_000

/** A few times over: the device dies at some request, or the server does, or both. Then both are well again. */
async function storm(chaos: () => number, server: ServerProcess, path: string, user: string): Promise<void> {
  const times = 1 + Math.floor(chaos() * 3)
  for (let i = 0; i < times; i++) {
    const options = {
      path,
      user,
      url: server.url,
      dieAt: chaos() < 0.7 ? 1 + Math.floor(chaos() * 12) : 0,
      dieAfterAnswer: chaos() < 0.5,
      page: 1 + Math.floor(chaos() * 5),
    }
    const device = run('rows-device-process.ts', [JSON.stringify(options)])
    const ended = once(device, 'close')
    const killAfterMs = chaos() < 0.4 ? 150 + Math.floor(chaos() * 400) : undefined
    if (killAfterMs !== undefined) {
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, killAfterMs))])
      if (chaos() < 0.7) await server.restart()
      else device.kill('SIGKILL')
    }
    await ended
  }
}

interface ServerProcess extends AsyncDisposable {
  readonly url: string
  restart(): Promise<void>
}

async function startServer(
  database: TestDatabase,
  retained: number,
  watching: boolean,
): Promise<ServerProcess> {
  let port = 0
  let child: ChildProcess
  const start = async () => {
    child = run('rows-server-process.ts', [
      database.url,
      String(port),
      String(retained),
      watching ? 'watch' : '',
    ])
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    port = Number(line.toString())
  }
  const kill = async () => {
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    get url() {
      return `http://127.0.0.1:${port}`
    },
    async restart() {
      await kill()
      await start()
    },
    [Symbol.asyncDispose]: kill,
  }
}

function run(file: string, args: readonly string[]): ChildProcess {
  const script = fileURLToPath(new URL(file, import.meta.url))
  return spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Seeded numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
