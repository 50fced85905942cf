import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import { bytesOf } from './event-key.sqlite.ts'

/** The number that stands for a peer in the rows of its events. */
export function sourceNumber(tx: SqliteTx, peer: string): number {
  const sql = 'SELECT number FROM event_sources WHERE peer = ?'
  const known = tx.prepare(sql).get(peer)
  if (known !== undefined) return Number(known.number)
  const { lastInsertRowid } = tx.prepare('INSERT INTO event_sources (peer) VALUES (?)').run(peer)
  return Number(lastInsertRowid)
}

export function sentBy(tx: SqliteTx, peer: string, ids: readonly string[]): ReadonlySet<string> {
  const source = tx.prepare('SELECT number FROM event_sources WHERE peer = ?').get(peer)
  if (source === undefined) return new Set()
  const statement = tx.prepare('SELECT 1 FROM events WHERE id = ? AND source = ?')
  return new Set(ids.filter((id) => statement.get(bytesOf(id), source.number ?? null) !== undefined))
}
