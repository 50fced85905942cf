import { fromJson, toJson } from './json-column.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/** One key of the admin API as stored: never the token, only its digest. Times are wall ms. */
export interface ApiKeyRecord {
  readonly id: string
  readonly name: string
  /** Hex HMAC-SHA256 of the token; unique. */
  readonly digest: string
  /** The first 8 characters of the token, to tell keys apart. */
  readonly prefix: string
  readonly scopes: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number | undefined
  readonly lastUsedAt: number | undefined
  readonly revokedAt: number | undefined
}

const columns = 'id, name, digest, prefix, scopes, created_at, expires_at, last_used_at, revoked_at'

/** The keys of the admin API, revoked ones included. */
export class ApiKeyTable {
  insert(tx: SqliteTx, key: ApiKeyRecord): void {
    const { id, name, digest, prefix, scopes, createdAt, expiresAt } = key
    tx.prepare(`INSERT INTO api_keys (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)`).run(
      id,
      name,
      digest,
      prefix,
      toJson(scopes),
      createdAt,
      expiresAt ?? null,
    )
  }

  byDigest(tx: SqliteTx, digest: string): ApiKeyRecord | undefined {
    const row = tx.prepare(`SELECT ${columns} FROM api_keys WHERE digest = ?`).get(digest)
    return row && toRecord(row)
  }

  /** Oldest first. */
  list(tx: SqliteTx): readonly ApiKeyRecord[] {
    return tx.prepare(`SELECT ${columns} FROM api_keys ORDER BY created_at, id`).all().map(toRecord)
  }

  touch(tx: SqliteTx, id: string, at: number): void {
    tx.prepare('UPDATE api_keys SET last_used_at = ? WHERE id = ?').run(at, id)
  }

  /** False when there is no such key or it was revoked before. */
  revoke(tx: SqliteTx, id: string, at: number): boolean {
    const sql = 'UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL'
    return Number(tx.prepare(sql).run(at, id).changes) > 0
  }
}

function toRecord(row: Record<string, unknown>): ApiKeyRecord {
  const time = (value: unknown) => (value === null ? undefined : Number(value))
  return {
    id: String(row.id),
    name: String(row.name),
    digest: String(row.digest),
    prefix: String(row.prefix),
    scopes: fromJson(row.scopes) as readonly string[],
    createdAt: Number(row.created_at),
    expiresAt: time(row.expires_at),
    lastUsedAt: time(row.last_used_at),
    revokedAt: time(row.revoked_at),
  }
}
