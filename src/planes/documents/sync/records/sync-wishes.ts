import type { Clock } from '../../../../kernel/clock.ts'
import type { Database } from '../../database.ts'
import type { DatabaseId } from '../../entry/entry-id.ts'
import type { Instance } from '../../instance.ts'
import {
  combineSyncSettings,
  type SyncSettings,
  syncDisabled,
  syncSettingsSchema,
} from '../../users/sync-settings.ts'
import { trackedDatabases, trackedStore } from '../../users/user.ts'
import { Users } from '../../users/users.ts'
import { RecordTable } from './record-table.ts'

/** What the node itself and all of its users want of the sync of each database, together. */
export class SyncWishes implements Disposable {
  readonly #instance: Instance
  readonly #own: RecordTable<SyncSettings>
  readonly #users: Users
  readonly #listener: Disposable
  readonly #listeners = new Set<() => void>()
  readonly #sources = new Set<DatabaseId>()
  #combined: Promise<ReadonlyMap<DatabaseId, SyncSettings>> | undefined

  private constructor(instance: Instance, own: RecordTable<SyncSettings>, clock: Clock) {
    this.#instance = instance
    this.#own = own
    this.#users = new Users(instance, clock)
    this.#listener = instance.onWrite(({ database }) => {
      if (this.#sources.has(database) || database === instance.system('_users')) this.#changed()
    })
  }

  static async open(instance: Instance, database: Database, clock: Clock): Promise<SyncWishes> {
    const own = await RecordTable.open<SyncSettings>(database, 'databases', syncSettingsSchema)
    return new SyncWishes(instance, own, clock)
  }

  /** What the node itself wants, whoever its users are; undefined: it has no say. */
  async setOwn(tree: DatabaseId, settings: SyncSettings | undefined): Promise<void> {
    await this.#own.update(tree, () => settings)
    this.#changed()
  }

  /** Calls the listener after every change. Dispose what it answers to stop. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  own(tree: DatabaseId): SyncSettings | undefined {
    return this.#own.get(tree)
  }

  async of(tree: DatabaseId): Promise<SyncSettings> {
    return (await this.all()).get(tree) ?? syncDisabled
  }

  /** By database; one that nobody follows is not in it. */
  all(): Promise<ReadonlyMap<DatabaseId, SyncSettings>> {
    if (this.#combined === undefined) {
      const reading: Promise<ReadonlyMap<DatabaseId, SyncSettings>> = this.#read()
      this.#combined = reading
      reading.catch(() => {
        if (this.#combined === reading) this.#combined = undefined
      })
    }
    return this.#combined
  }

  #changed(): void {
    this.#combined = undefined
    for (const listener of this.#listeners) listener()
  }

  async #read(): Promise<ReadonlyMap<DatabaseId, SyncSettings>> {
    const wishes = new Map<DatabaseId, SyncSettings[]>()
    const add = (tree: DatabaseId, settings: SyncSettings) => {
      wishes.set(tree, [...(wishes.get(tree) ?? []), settings])
    }
    for (const [tree, settings] of this.#own.entries()) add(tree as DatabaseId, settings)
    for (const id of await this.#userDatabases()) {
      // Before it is read: what is written meanwhile must be noticed.
      this.#sources.add(id)
      const database = await this.#instance.database(id)
      await database.read(async (view) => {
        for (const [, row] of (await view.getStore(trackedStore, trackedDatabases)).rows())
          add(row.database_id, row.sync_settings)
      })
    }
    return new Map([...wishes].map(([tree, settings]) => [tree, combineSyncSettings(settings)]))
  }

  async #userDatabases(): Promise<readonly DatabaseId[]> {
    if (this.#instance.system('_users') === undefined) return []
    return [...(await this.#users.databases()).values()].sort()
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]()
  }
}
