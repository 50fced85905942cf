import { type LinkId, linkId } from '../../kernel/link.ts'
import type { Outbox, OutboxItem } from '../../kernel/outbox.ts'
import { guarded } from './link-table.ts'
import type { SqliteTx } from './sqlite-tx.ts'

const columns = 'link, key, dead, attempts, not_before, reason'

/** Sets of keys travel as one JSON parameter: one statement whatever their number. */
const keysSql = 'SELECT value FROM json_each(?)'

export class OutboxTable implements Outbox<SqliteTx> {
  async add(tx: SqliteTx, link: LinkId, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const sql = `INSERT INTO outbox (link, key) SELECT ?, value FROM json_each(?) WHERE true
      ON CONFLICT (link, key) DO NOTHING`
    guarded(link, () => tx.prepare(sql).run(link, JSON.stringify(keys)))
  }

  async due(tx: SqliteTx, link: LinkId, now: number, limit: number): Promise<readonly OutboxItem[]> {
    const sql = `SELECT ${columns} FROM outbox WHERE link = ? AND dead = 0 AND not_before <= ? ORDER BY seq LIMIT ?`
    return tx.prepare(sql).all(link, now, limit).map(toItem)
  }

  async done(tx: SqliteTx, link: LinkId, keys: readonly string[]): Promise<void> {
    tx.prepare(`DELETE FROM outbox WHERE link = ? AND key IN (${keysSql})`).run(link, JSON.stringify(keys))
  }

  async retry(tx: SqliteTx, link: LinkId, key: string, reason: string, notBefore: number): Promise<number> {
    const sql = `INSERT INTO outbox (link, key, attempts, reason, not_before) VALUES (?, ?, 1, ?, ?)
      ON CONFLICT (link, key) DO UPDATE
        SET attempts = attempts + 1, reason = excluded.reason, not_before = excluded.not_before
      RETURNING attempts`
    return Number(guarded(link, () => tx.prepare(sql).get(link, key, reason, notBefore))?.attempts)
  }

  async bury(tx: SqliteTx, link: LinkId, key: string, reason: string, until = 0): Promise<void> {
    // Written anew rather than updated, so that `seq` is the order of burial.
    const pending = tx
      .prepare('DELETE FROM outbox WHERE link = ? AND key = ? RETURNING attempts')
      .get(link, key)
    const sql = 'INSERT INTO outbox (link, key, dead, attempts, reason, not_before) VALUES (?, ?, 1, ?, ?, ?)'
    guarded(link, () => tx.prepare(sql).run(link, key, Number(pending?.attempts ?? 0), reason, until))
  }

  async reviveDue(tx: SqliteTx, link: LinkId, now: number): Promise<number> {
    const sql = `UPDATE outbox SET dead = 0, attempts = 0, not_before = 0
      WHERE link = ? AND dead = 1 AND not_before > 0 AND not_before <= ?`
    return Number(tx.prepare(sql).run(link, now).changes)
  }

  async revive(tx: SqliteTx, link: LinkId, keys?: readonly string[]): Promise<number> {
    const sql = 'UPDATE outbox SET dead = 0, attempts = 0, not_before = 0 WHERE link = ? AND dead = 1'
    const { changes } =
      keys === undefined
        ? tx.prepare(sql).run(link)
        : tx.prepare(`${sql} AND key IN (${keysSql})`).run(link, JSON.stringify(keys))
    return Number(changes)
  }

  async dead(tx: SqliteTx, link: LinkId, limit: number): Promise<readonly OutboxItem[]> {
    const sql = `SELECT ${columns} FROM outbox WHERE link = ? AND dead = 1 ORDER BY seq DESC LIMIT ?`
    return tx.prepare(sql).all(link, limit).map(toItem)
  }

  async deadAmong(tx: SqliteTx, link: LinkId, keys: readonly string[]): Promise<ReadonlySet<string>> {
    const sql = `SELECT key FROM outbox WHERE link = ? AND dead = 1 AND key IN (${keysSql})`
    return new Set(
      tx
        .prepare(sql)
        .all(link, JSON.stringify(keys))
        .map(({ key }) => String(key)),
    )
  }

  async count(tx: SqliteTx, link: LinkId): Promise<{ readonly pending: number; readonly dead: number }> {
    const sql = 'SELECT count(*) AS count FROM outbox WHERE link = ? AND dead = ?'
    const count = (dead: number) => Number(tx.prepare(sql).get(link, dead)?.count)
    return { pending: count(0), dead: count(1) }
  }
}

function toItem(row: Record<string, unknown>): OutboxItem {
  return {
    link: linkId(String(row.link)),
    key: String(row.key),
    state: row.dead === 1 ? 'dead' : 'pending',
    attempts: Number(row.attempts),
    notBefore: Number(row.not_before),
    reason: row.reason === null ? undefined : String(row.reason),
  }
}
