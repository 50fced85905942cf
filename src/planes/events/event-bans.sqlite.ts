import type { Migration } from '../../kernel/store.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import { bytesOf, hexOf } from './event-key.sqlite.ts'
import type { Ban, BanTarget } from './event-store.ts'

const tables = `
CREATE TABLE event_bans (
  by TEXT NOT NULL,
  value BLOB NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (by, value)
) STRICT, WITHOUT ROWID;
`

export const banMigrations: readonly Migration<SqliteTx>[] = [
  { id: 'event-bans-0001-create', up: (tx) => tx.db.exec(tables) },
]

/** Rows of banned events and authors that are still stored: all of them, or those a crash left over. */
export const bannedSql = `
SELECT seq FROM events WHERE pubkey IN (SELECT value FROM event_bans WHERE by = 'pubkey')
UNION ALL
SELECT seq FROM events WHERE id IN (SELECT value FROM event_bans WHERE by = 'id')
LIMIT ?`

const isBannedSql = `
SELECT 1 FROM event_bans WHERE by = 'pubkey' AND value = ?
UNION ALL SELECT 1 FROM event_bans WHERE by = 'id' AND value = ?`

/** What the operator keeps out, whoever offers it and however often (NIP-86). */
export const bans = {
  /** The newer reason counts. */
  add(tx: SqliteTx, { by, value }: BanTarget, reason: string): void {
    tx.prepare(
      'INSERT INTO event_bans (by, value, reason) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason',
    ).run(by, bytesOf(value), reason)
  },

  /** False when there was none. */
  remove(tx: SqliteTx, { by, value }: BanTarget): boolean {
    const sql = 'DELETE FROM event_bans WHERE by = ? AND value = ?'
    return tx.prepare(sql).run(by, bytesOf(value)).changes > 0
  },

  list(tx: SqliteTx, by: BanTarget['by']): readonly Ban[] {
    const rows = tx.prepare('SELECT value, reason FROM event_bans WHERE by = ? ORDER BY value').all(by)
    return rows.map(({ value, reason }) => ({
      by,
      value: hexOf(value as Uint8Array),
      reason: String(reason),
    }))
  },

  isBanned(tx: SqliteTx, id: Uint8Array, pubkey: Uint8Array): boolean {
    return tx.prepare(isBannedSql).get(pubkey, id) !== undefined
  },
}
