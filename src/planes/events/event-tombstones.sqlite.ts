import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'

/** The first of its address that must not come back: everything that loses against this key is blocked too. */
export interface Floor {
  readonly created_at: number
  readonly id: Uint8Array
}

/** Where one of two versions of a replaceable stands: greater `created_at` wins, then the lower id (NIP-01). */
export function loses(a: Floor, b: Floor): boolean {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at
  return Buffer.compare(a.id, b.id) > 0
}

/** Lower than any event id, so a floor with it blocks every version of its second. */
export const lowestId: Uint8Array = new Uint8Array(32)

/** Deleted ids, deleted addresses and vanished authors: what stays away however often peers offer it. */
export const tombstones = {
  /** `author` asked for the deletion of `id` (NIP-09 `e` tag), whether or not that event is known yet. */
  deleteId(tx: SqliteTx, id: Uint8Array, author: Uint8Array): void {
    tx.prepare('INSERT OR IGNORE INTO event_deletions (id, author) VALUES (?, ?)').run(id, author)
  },

  isDeleted(tx: SqliteTx, id: Uint8Array, author: Uint8Array): boolean {
    const sql = 'SELECT 1 FROM event_deletions WHERE id = ? AND author = ?'
    return tx.prepare(sql).get(id, author) !== undefined
  },

  /** Blocks all versions of an address that do not win against `floor`. A lower floor than before changes nothing. */
  raiseFloor(tx: SqliteTx, kind: number, pubkey: Uint8Array, d: Uint8Array, floor: Floor): void {
    tx.prepare(
      `INSERT INTO event_floors (kind, pubkey, d, created_at, id) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET created_at = excluded.created_at, id = excluded.id
       WHERE excluded.created_at > created_at OR (excluded.created_at = created_at AND excluded.id < id)`,
    ).run(kind, pubkey, d, floor.created_at, floor.id)
  },

  floor(tx: SqliteTx, kind: number, pubkey: Uint8Array, d: Uint8Array): Floor | undefined {
    const sql = 'SELECT created_at, id FROM event_floors WHERE kind = ? AND pubkey = ? AND d = ?'
    return tx.prepare(sql).get(kind, pubkey, d) as Floor | undefined
  },

  /** `pubkey` asked to vanish up to and including `createdAt` (NIP-62). */
  vanish(tx: SqliteTx, pubkey: Uint8Array, createdAt: number): void {
    tx.prepare(
      `INSERT INTO event_vanished (pubkey, created_at) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET created_at = max(created_at, excluded.created_at)`,
    ).run(pubkey, createdAt)
  },

  /** The latest request of `pubkey` to vanish; -1 when there is none. */
  vanishedUpTo(tx: SqliteTx, pubkey: Uint8Array): number {
    const sql = 'SELECT created_at FROM event_vanished WHERE pubkey = ?'
    const row = tx.prepare(sql).get(pubkey) as { readonly created_at: number } | undefined
    return row?.created_at ?? -1
  },
}
