import { z } from 'zod'
import type { Clock } from '../../../kernel/clock.ts'
import type { Database } from '../database.ts'
import type { WriterIdentity } from '../database-core.ts'
import { DocumentError } from '../document-error.ts'
import { type DatabaseId, parseId } from '../entry/entry-id.ts'
import { sigKeyFromJson, sigKeyToJson } from '../entry/entry-json.ts'
import { KeyPair, type PublicKey, parsePublicKey } from '../entry/key-pair.ts'
import type { SigKey } from '../entry/sig-key.ts'
import type { CreateDatabaseOptions, Instance } from '../instance.ts'
import { table } from '../stores/table.ts'
import type { Transaction } from '../transaction.ts'
import { keyStorageSchema, loadKey, storeKey, type UserSecret } from './key-storage.ts'
import { type SyncSettings, syncDisabled, syncSettingsSchema } from './sync-settings.ts'

const publicKey = z.string().transform((text) => parsePublicKey(text))

const keySchema = z.object({
  key_id: publicKey,
  storage: keyStorageSchema,
  display_name: z.string().optional(),
  /** Seconds since 1970. */
  created_at: z.number(),
  is_default: z.boolean(),
  /** How the key acts in a database; null: by its public key. */
  database_sigkeys: z.record(z.string(), z.unknown()),
})

export type UserKey = z.infer<typeof keySchema>

const trackedSchema = z.object({
  database_id: z.string().transform((text) => parseId(text)),
  key_id: publicKey,
  sync_settings: syncSettingsSchema,
})

/** A database the user follows. */
export type TrackedDatabase = z.infer<typeof trackedSchema>

export const userKeys = table<UserKey>(keySchema)
export const trackedDatabases = table<TrackedDatabase>(trackedSchema)
/** The store of a user's database that says what he follows. */
export const trackedStore = 'databases'
const keysStore = 'keys'

export interface UserParts {
  readonly instance: Instance
  readonly clock: Clock
  readonly id: string
  readonly username: string
  readonly root: KeyPair
  readonly secret: UserSecret
  readonly database: Database
}

/** Somebody who is logged in: his keys are open until `logout`. */
export class User {
  readonly id: string
  readonly username: string
  readonly #instance: Instance
  readonly #clock: Clock
  readonly #database: Database
  #open: { readonly root: KeyPair; readonly secret: UserSecret } | undefined

  constructor({ instance, clock, id, username, root, secret, database }: UserParts) {
    this.id = id
    this.username = username
    this.#instance = instance
    this.#clock = clock
    this.#database = database
    this.#open = { root, secret }
  }

  get rootKey(): PublicKey {
    return this.#opened().root.publicKey
  }

  /** The user's own database. */
  get databaseId(): DatabaseId {
    return this.#database.id
  }

  /** Forgets the keys; the user can do nothing more. */
  logout(): void {
    this.#open = undefined
  }

  /** Oldest first. */
  async keys(): Promise<readonly UserKey[]> {
    this.#opened()
    const rows = await this.#database.read(async (view) => [
      ...(await view.getStore(keysStore, userKeys)).rows(),
    ])
    return rows
      .map(([, key]) => key)
      .sort((a, b) => a.created_at - b.created_at || (a.key_id < b.key_id ? -1 : 1))
  }

  /** The one that is marked, else the oldest. */
  async defaultKey(): Promise<PublicKey> {
    const keys = await this.keys()
    return (keys.find((key) => key.is_default) ?? keys[0]!).key_id
  }

  /** Names are not unique. */
  async findKeys(displayName: string): Promise<readonly PublicKey[]> {
    const keys = await this.keys()
    return keys.filter((key) => key.display_name === displayName).map((key) => key.key_id)
  }

  async addKey(displayName?: string, key = KeyPair.generate()): Promise<PublicKey> {
    const { secret } = this.#opened()
    const row: UserKey = {
      key_id: key.publicKey,
      storage: storeKey(key, secret),
      ...(displayName === undefined ? {} : { display_name: displayName }),
      created_at: Math.floor(this.#clock.now() / 1_000),
      is_default: false,
      database_sigkeys: {},
    }
    await this.#write(async (tx) => (await tx.getStore(keysStore, userKeys)).set(key.publicKey, row))
    return key.publicKey
  }

  /** Throws `document/no-key` when it is not one of the user's. */
  async signingKey(id: PublicKey): Promise<KeyPair> {
    const { secret } = this.#opened()
    return loadKey((await this.#key(id)).storage, secret)
  }

  /** Makes a database with one of the user's keys, by default the default one, and follows it, with sync disabled. */
  async createDatabase({
    keyId,
    ...options
  }: Omit<CreateDatabaseOptions, 'key'> & { readonly keyId?: PublicKey } = {}): Promise<Database> {
    const id = keyId ?? (await this.defaultKey())
    const key = await this.signingKey(id)
    const database = await this.#instance.createDatabase({ ...options, key })
    await this.#follow(database.id, id, undefined, syncDisabled)
    return database
  }

  /**
   * Opens a database with the oldest key that is known to act in it.
   *
   * @throws DocumentError `document/no-key`; `document/access-pending` when nothing of it is here yet
   */
  async openDatabase(id: DatabaseId): Promise<Database> {
    const identity = await this.identityFor(id)
    const here = await this.#instance.read((view) => view.tips(id).length > 0)
    if (here) return await this.#instance.database(id, identity)
    throw new DocumentError('document/access-pending', `nothing of the database ${id} is here yet; sync it`)
  }

  /** The key a database is written with, and how it acts there. Throws `document/no-key`. */
  async identityFor(id: DatabaseId): Promise<WriterIdentity> {
    const key = (await this.keys()).find((key) => id in key.database_sigkeys)
    if (key === undefined)
      throw new DocumentError('document/no-key', `no key of ${this.username} acts in ${id}`)
    return { key: await this.signingKey(key.key_id), claim: claimOf(key, id) }
  }

  /** How a key of the user acts in a database; undefined: it does not, as far as he knows. */
  async keyMapping(keyId: PublicKey, id: DatabaseId): Promise<SigKey | 'public key' | undefined> {
    const key = await this.#key(keyId)
    return id in key.database_sigkeys ? (claimOf(key, id) ?? 'public key') : undefined
  }

  /** Remembers how a key acts in a database; by default by its public key. */
  async mapKey(keyId: PublicKey, id: DatabaseId, claim?: SigKey): Promise<void> {
    await this.#write((tx) => remember(tx, keyId, id, claim))
  }

  /**
   * Follows a database, or changes how. How the key acts in it is found out when that is new.
   *
   * @throws DocumentError `document/no-key` when the key does not act in it
   */
  async trackDatabase(id: DatabaseId, keyId: PublicKey, settings: SyncSettings): Promise<void> {
    const known = await this.#tracked(id)
    let claim: SigKey | undefined
    if (known?.key_id !== keyId) {
      const database = await this.#instance.database(id)
      const [found] = await database.findClaims(keyId)
      if (found === undefined)
        throw new DocumentError('document/no-key', `the key ${keyId} does not act in ${id}`)
      claim = found.claim
    } else claim = claimOf(await this.#key(keyId), id)
    await this.#follow(id, keyId, claim, settings)
  }

  /** False when it was not followed. */
  async untrackDatabase(id: DatabaseId): Promise<boolean> {
    if ((await this.#tracked(id)) === undefined) return false
    await this.#write(async (tx) => (await tx.getStore(trackedStore, trackedDatabases)).delete(id))
    return true
  }

  /** What the user follows, in no particular order. */
  async databases(): Promise<readonly TrackedDatabase[]> {
    this.#opened()
    return await this.#database.read(async (view) => {
      const rows = (await view.getStore(trackedStore, trackedDatabases)).rows()
      return [...rows].map(([, tracked]) => tracked)
    })
  }

  /** Of those the user follows and has, the ones of this name. */
  async findDatabases(name: string): Promise<readonly DatabaseId[]> {
    const found: DatabaseId[] = []
    for (const { database_id } of await this.databases()) {
      if (await this.#instance.read((view) => view.tips(database_id).length === 0)) continue
      const database = await this.#instance.database(database_id)
      if ((await database.read(async (view) => (await view.settings()).name)) === name)
        found.push(database_id)
    }
    return found
  }

  /** False for a database the user does not follow. */
  async isSyncEnabled(id: DatabaseId): Promise<boolean> {
    return (await this.#tracked(id))?.sync_settings.syncEnabled ?? false
  }

  /** Whether it changed anything; then everything else of the settings stays. Throws `document/not-found`. */
  async setSyncEnabled(id: DatabaseId, enabled: boolean): Promise<boolean> {
    const tracked = await this.#tracked(id)
    if (tracked === undefined)
      throw new DocumentError('document/not-found', `${this.username} does not follow ${id}`)
    if (tracked.sync_settings.syncEnabled === enabled) return false
    const settings = { ...tracked.sync_settings, syncEnabled: enabled }
    await this.#write(async (tx) => {
      const databases = await tx.getStore(trackedStore, trackedDatabases)
      databases.set(id, { ...tracked, sync_settings: settings })
    })
    return true
  }

  async #follow(
    id: DatabaseId,
    keyId: PublicKey,
    claim: SigKey | undefined,
    settings: SyncSettings,
  ): Promise<void> {
    await this.#write(async (tx) => {
      await remember(tx, keyId, id, claim)
      const databases = await tx.getStore(trackedStore, trackedDatabases)
      databases.set(id, { database_id: id, key_id: keyId, sync_settings: settings })
    })
  }

  async #tracked(id: DatabaseId): Promise<TrackedDatabase | undefined> {
    return (await this.databases()).find((tracked) => tracked.database_id === id)
  }

  async #key(id: PublicKey): Promise<UserKey> {
    const key = (await this.keys()).find((key) => key.key_id === id)
    if (key === undefined) throw noKey(id)
    return key
  }

  async #write(work: Parameters<Database['transact']>[0]): Promise<void> {
    const { root } = this.#opened()
    await this.#database.transact(work, { identity: { key: root } })
  }

  #opened(): { readonly root: KeyPair; readonly secret: UserSecret } {
    if (this.#open === undefined) throw new DocumentError('document/user', `${this.username} is logged out`)
    return this.#open
  }
}

/** Notes how a key acts in a database. */
async function remember(
  tx: Transaction,
  keyId: PublicKey,
  id: DatabaseId,
  claim: SigKey | undefined,
): Promise<void> {
  const keys = await tx.getStore(keysStore, userKeys)
  const row = keys.get(keyId)
  if (row === undefined) throw noKey(keyId)
  const sigkey = claim === undefined || isPlain(claim, keyId) ? null : sigKeyToJson(claim)
  keys.set(keyId, { ...row, database_sigkeys: { ...row.database_sigkeys, [id]: sigkey } })
}

function claimOf(key: UserKey, id: DatabaseId): SigKey | undefined {
  const json = key.database_sigkeys[id]
  return json === null || json === undefined ? undefined : sigKeyFromJson(json)
}

/** Acting by the public key is what is meant when nothing is said. */
function isPlain(claim: SigKey, key: PublicKey): boolean {
  const { pubkey, name, isGlobal } = claim.hint
  return claim.kind === 'direct' && pubkey === key && name === undefined && isGlobal !== true
}

function noKey(id: PublicKey): DocumentError {
  return new DocumentError('document/no-key', `${id} is no key of this user`)
}
