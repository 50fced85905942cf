import type { Clock } from '../kernel/clock.ts'
import type { AuditRecord } from '../stores/sqlite/audit-table.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'
import { safeFields } from '../telemetry/log-fields.ts'

export interface AuditEntry {
  /** Who: `key rlk_abcd`, `nostr <pubkey>` or `local`. */
  readonly actor: string
  /** What: the operation's name. */
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  /** What came of it: `ok`, or the error's code. */
  readonly result: string
}

/** Who asked for what through the admin doors. Secrets in the parameters are taken out before they are written. */
export class AuditLog {
  readonly #store: SqliteStore
  readonly #clock: Clock

  constructor(store: SqliteStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async add({ actor, method, params, result }: AuditEntry): Promise<void> {
    const entry = { at: this.#clock.now(), actor, method, params: safeFields(params), result }
    await this.#store.transaction((tx) => this.#store.audit.add(tx, entry))
  }

  /** Newest first; `before` is the id of the last one seen. */
  list(limit: number, before?: number): Promise<readonly AuditRecord[]> {
    return this.#store.read((tx) => this.#store.audit.list(tx, limit, before))
  }
}
