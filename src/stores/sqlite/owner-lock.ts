import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SyncError } from '../../kernel/sync-error.ts'
import { isBusyError, storeError } from './sqlite-error.ts'

/**
 * Keeps a second process from writing behind the first one's back, whose caches would go stale without any error
 * (docs/decisions/0008). It is an open transaction on an empty database beside the store: the system takes the lock
 * back when the process ends, however it ends, and there is no pid file that can go stale.
 *
 * Never open the lock file by other means in the same process: closing any handle of it would free the lock (POSIX).
 */
export class OwnerLock implements Disposable {
  readonly #db: DatabaseSync

  /**
   * @param file the store's database
   * @throws SyncError `store/busy`, saying who owns it
   */
  constructor(file: string) {
    this.#db = lock(file)
    try {
      writeFileSync(ownerFile(file), JSON.stringify({ pid: process.pid, since: new Date().toISOString() }))
    } catch {
      // Only ever read for a message. A full disk must not keep the store from being opened for reading.
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close()
  }
}

function lock(file: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(`${file}-lock`, { timeout: 0 })
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return db
  } catch (error) {
    db?.close()
    throw isBusyError(error) ? owned(file, error) : storeError(error)
  }
}

function owned(file: string, cause: unknown): SyncError {
  const { pid, since } = readOwner(file)
  const who =
    pid === process.pid
      ? 'this process has it open already'
      : `process ${pid ?? 'unknown'} owns it${since === undefined ? '' : ` since ${since}`}`
  const advice = 'Stop that process, let commands talk to it, or use another data directory.'
  return new SyncError('store/busy', `the store ${file} is in use: ${who}. ${advice}`, { cause })
}

function readOwner(file: string): { readonly pid?: number; readonly since?: string } {
  try {
    return JSON.parse(readFileSync(ownerFile(file), 'utf8'))
  } catch {
    return {}
  }
}

function ownerFile(file: string): string {
  return `${file}-owner`
}
