import { randomUUID, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { ApiKeyRecord } from '../stores/sqlite/api-key-table.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'
import {
  type ApiKey,
  type CreatedKey,
  createToken,
  isToken,
  type KeyScope,
  tokenDigest,
  tokenPrefix,
} from './api-key.ts'

export interface NewKey {
  readonly name: string
  readonly scopes: readonly KeyScope[]
  /** Wall ms; undefined: never. */
  readonly expiresAt?: number | undefined
}

/** What the command line can do with the keys of the admin API. */
export interface KeyControl {
  create(key: NewKey): Promise<CreatedKey>
  /** Revoked and expired ones too; oldest first. */
  list(): Promise<readonly ApiKey[]>
  /**
   * Revokes by id, by prefix or by the whole token, and answers what it revoked.
   *
   * @throws SyncError `config/invalid` when no key in force matches, or more than one
   */
  revoke(idOrPrefix: string): Promise<ApiKey>
}

export interface ApiKeysOptions {
  readonly store: SqliteStore
  readonly clock: Clock
  /** The secret tokens are hashed with; asked for once, at first need. */
  readonly secret: () => Promise<string>
}

/** A use is noted at most this often: a busy client must not cost a durable write per request. */
const touchMs = 60_000

/** The keys of the admin API (spec events §4.5). A token is known to its holder alone; here is only its digest. */
export class ApiKeys implements KeyControl {
  readonly #options: ApiKeysOptions
  #secret: Promise<string> | undefined

  constructor(options: ApiKeysOptions) {
    this.#options = options
  }

  async create({ name, scopes, expiresAt }: NewKey): Promise<CreatedKey> {
    const { store, clock } = this.#options
    if (name.trim() === '') throw new SyncError('config/invalid', "Name can't be blank")
    if (expiresAt !== undefined && expiresAt <= clock.now())
      throw new SyncError('config/invalid', 'Expires at must be in the future')
    const token = createToken()
    const record: ApiKeyRecord = {
      id: randomUUID(),
      name,
      digest: await this.#digest(token),
      prefix: tokenPrefix(token),
      scopes: [...new Set(scopes)],
      createdAt: clock.now(),
      expiresAt,
      lastUsedAt: undefined,
      revokedAt: undefined,
    }
    await store.transaction((tx) => store.apiKeys.insert(tx, record))
    return { ...shown(record), token }
  }

  async list(): Promise<readonly ApiKey[]> {
    const { store } = this.#options
    return (await store.read((tx) => store.apiKeys.list(tx))).map(shown)
  }

  async revoke(idOrPrefix: string): Promise<ApiKey> {
    const { store, clock } = this.#options
    const digest = isToken(idOrPrefix) ? await this.#digest(idOrPrefix) : undefined
    return store.transaction((tx) => {
      const inForce = store.apiKeys.list(tx).filter(({ revokedAt }) => revokedAt === undefined)
      const named = inForce.filter(({ id, digest: known }) => id === idOrPrefix || known === digest)
      const matches =
        named.length > 0 ? named : inForce.filter(({ prefix }) => isPrefixOf(idOrPrefix, prefix))
      const [key, second] = matches
      if (key === undefined)
        throw new SyncError(
          'config/invalid',
          'no key in force has this id or prefix; "syncline key list" shows all',
        )
      if (second !== undefined)
        throw new SyncError(
          'config/invalid',
          `${matches.length} keys begin like this; revoke by id: ${matches.map(({ id }) => id).join(', ')}`,
        )
      const revokedAt = clock.now()
      store.apiKeys.revoke(tx, key.id, revokedAt)
      return shown({ ...key, revokedAt })
    })
  }

  /** The key a token belongs to; undefined for anything that gives no access: malformed, unknown, revoked, expired. */
  async authenticate(token: string): Promise<ApiKey | undefined> {
    if (!isToken(token)) return undefined
    const { store, clock } = this.#options
    const digest = await this.#digest(token)
    const record = await store.read((tx) => store.apiKeys.byDigest(tx, digest))
    const now = clock.now()
    if (record === undefined || !sameDigest(record.digest, digest)) return undefined
    if (record.revokedAt !== undefined || (record.expiresAt ?? Number.POSITIVE_INFINITY) <= now)
      return undefined
    if (now - (record.lastUsedAt ?? 0) < touchMs) return shown(record)
    await store.transaction((tx) => store.apiKeys.touch(tx, record.id, now))
    return shown({ ...record, lastUsedAt: now })
  }

  async #digest(token: string): Promise<string> {
    this.#secret ??= this.#options.secret()
    const loading = this.#secret
    // A secret that could not be read this time may be readable the next.
    loading.catch(() => {
      this.#secret = undefined
    })
    return tokenDigest(await loading, token)
  }
}

/** Long enough to mean one of them. */
function isPrefixOf(text: string, prefix: string): boolean {
  return text.length > 'rlk_'.length && prefix.startsWith(text)
}

function sameDigest(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}

function shown({ id, name, prefix, scopes, ...times }: ApiKeyRecord): ApiKey {
  const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
  return {
    id,
    name,
    key_prefix: prefix,
    scopes: scopes as readonly KeyScope[],
    created_at: new Date(times.createdAt).toISOString(),
    expires_at: iso(times.expiresAt),
    last_used_at: iso(times.lastUsedAt),
    revoked_at: iso(times.revokedAt),
  }
}
