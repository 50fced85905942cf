import sqlite3InitModule, { type Database } from '@sqlite.org/sqlite-wasm'
import { type Conflict, type Resolution, RowsClient } from '../../../src/planes/rows/client/index.ts'
import { wasmDriver } from '../../../src/planes/rows/client/wasm-driver.ts'
import type { Command, Dispute, State, Task } from './messages.ts'

const schema = `CREATE TABLE IF NOT EXISTS tasks (
  id TEXT PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL)`

/** One device: its database, its client, and what a person has yet to decide. */
class Device {
  readonly #db: Database
  readonly #client: RowsClient
  readonly #decisions = new Map<string, { readonly dispute: Dispute; decide(resolution: Resolution): void }>()
  #offline = false
  #problem: string | undefined

  constructor(db: Database, sqlite3: Awaited<ReturnType<typeof sqlite3InitModule>>, user: string) {
    this.#db = db
    db.exec(schema)
    this.#client = new RowsClient({
      db: wasmDriver(sqlite3, db),
      baseUrl: self.location.origin,
      token: () => user,
      schema: 'todo',
      tables: [{ tableName: 'tasks', syncKeyColumnName: 'id' }],
      resolver: (conflict) => this.#ask(conflict),
      rowsBeforeAttach: 'merge',
      watch: 'auto',
      backoffMinMs: 250,
      backoffMaxMs: 2_000,
      fetch: (input, init) => (this.#offline ? Promise.reject(new TypeError('offline')) : fetch(input, init)),
    })
  }

  async run(user: string): Promise<void> {
    this.#client.subscribe(() => this.#show())
    await this.#client.open()
    this.#show()
    for (;;) {
      try {
        if ((await this.#client.attach(user)).status === 'connected') break
      } catch (error) {
        this.#problem = String(error)
        this.#show()
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
    this.#problem = undefined
    this.#client.start()
    // What was sent in the background changes no row, only the count of what is pending.
    setInterval(() => this.#show(), 250)
  }

  obey(command: Exclude<Command, { kind: 'start' }>): void {
    switch (command.kind) {
      case 'add':
        this.#write(
          'INSERT INTO tasks VALUES (?, ?, 0, ?)',
          crypto.randomUUID(),
          command.title,
          new Date().toISOString(),
        )
        break
      case 'rename':
        this.#write('UPDATE tasks SET title = ? WHERE id = ?', command.title, command.id)
        break
      case 'toggle':
        this.#write('UPDATE tasks SET done = 1 - done WHERE id = ?', command.id)
        break
      case 'remove':
        this.#write('DELETE FROM tasks WHERE id = ?', command.id)
        break
      case 'offline':
        this.#offline = command.offline
        break
      case 'decide':
        this.#decisions
          .get(command.id)
          ?.decide({ kind: command.keep === 'mine' ? 'keep-local' : 'accept-server' })
        break
    }
    this.#show()
  }

  #write(sql: string, ...values: string[]): void {
    this.#db.exec({ sql, bind: values })
  }

  /** Sync waits until the person has decided. */
  #ask(conflict: Conflict): Promise<Resolution> {
    const dispute: Dispute = {
      id: conflict.key,
      mine: taskOf(conflict.localPayload),
      theirs: taskOf(conflict.serverRowPayload),
    }
    return new Promise((resolve) => {
      this.#decisions.set(conflict.key, {
        dispute,
        decide: (resolution) => {
          this.#decisions.delete(conflict.key)
          // A change of a task that was deleted elsewhere has nothing left to be kept on.
          const isLost = conflict.localOp === 'UPDATE' && conflict.serverRowPayload === null
          resolve(isLost ? { kind: 'accept-server' } : resolution)
        },
      })
      this.#show()
    })
  }

  #show(): void {
    const rows = this.#db.selectObjects('SELECT id, title, done FROM tasks ORDER BY created_at, id')
    const state: State = {
      tasks: rows.map((row) => ({ id: String(row.id), title: String(row.title), done: row.done === 1 })),
      pending: this.#client.pendingSyncStatus().pendingRowCount,
      disputes: [...this.#decisions.values()].map(({ dispute }) => dispute),
      problem: this.#problem,
    }
    self.postMessage(state)
  }
}

function taskOf(payload: Conflict['localPayload']): Task | undefined {
  if (payload === null) return undefined
  return {
    id: String(payload.id),
    title: String(payload.title),
    done: payload.done === true || payload.done === 1,
  }
}

async function start(device: string, user: string): Promise<Device> {
  const sqlite3 = await sqlite3InitModule()
  // One folder per device: a folder belongs to one tab at a time.
  const pool = await sqlite3.installOpfsSAHPoolVfs({ directory: `/todo-${device}`, name: `todo-${device}` })
  const opened = new Device(new pool.OpfsSAHPoolDb('/todo.db'), sqlite3, user)
  opened.run(user).catch((error: unknown) => setTimeout(() => Promise.reject(error)))
  return opened
}

let device: Promise<Device> | undefined
self.onmessage = async ({ data }: MessageEvent<Command>) => {
  if (data.kind === 'start') device = start(data.device, data.user)
  else (await device)?.obey(data)
}
