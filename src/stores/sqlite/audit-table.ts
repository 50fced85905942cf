import { fromJson, toJson } from './json-column.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/** Who asked for what, and what came of it. */
export interface AuditRecord {
  readonly id: number
  /** Wall ms. */
  readonly at: number
  readonly actor: string
  readonly method: string
  /** Without secrets, and cut to a bound. */
  readonly params: unknown
  readonly result: string
}

/** Records kept, the newest ones: years of an operator's work, and a bound for a script that went wild. */
const auditKept = 10_000

export class AuditTable {
  add(tx: SqliteTx, { at, actor, method, params, result }: Omit<AuditRecord, 'id'>): void {
    const sql = 'INSERT INTO admin_audit (at, actor, method, params, result) VALUES (?, ?, ?, ?, ?)'
    const { lastInsertRowid } = tx.prepare(sql).run(at, actor, method, toJson(params), result)
    tx.prepare('DELETE FROM admin_audit WHERE id <= ?').run(Number(lastInsertRowid) - auditKept)
  }

  /** Newest first; `before` excludes that id and everything newer. */
  list(tx: SqliteTx, limit: number, before?: number): readonly AuditRecord[] {
    const sql = `SELECT id, at, actor, method, params, result FROM admin_audit
      WHERE id < ? ORDER BY id DESC LIMIT ?`
    return tx
      .prepare(sql)
      .all(before ?? Number.MAX_SAFE_INTEGER, limit)
      .map((row) => ({
        id: Number(row.id),
        at: Number(row.at),
        actor: String(row.actor),
        method: String(row.method),
        params: fromJson(row.params) ?? null,
        result: String(row.result),
      }))
  }
}
