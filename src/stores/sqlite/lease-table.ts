import type { Clock } from '../../kernel/clock.ts'
import type { LinkId } from '../../kernel/link.ts'
import type { JobStore, Lease } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { noSuchLink } from './link-table.ts'
import { isForeignKeyError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'

const claimSql = `INSERT INTO link_leases (link, owner, fence, session, expires_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (link) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, session = excluded.session,
    expires_at = excluded.expires_at`

const ownedSql = 'link = ? AND owner = ? AND fence = ? AND session = ? AND expires_at > ?'

/**
 * Leases of one data directory. Only the process that holds its lock can own any, which settles two questions:
 *
 * - Time is the monotonic clock of that process, so no jump of the wall clock ends or prolongs a lease (K13).
 * - A lease of a former process is over at once, however long it would still run: that process is gone (K6).
 *   `session` tells it apart, as its monotonic times mean nothing here.
 */
export class LeaseTable implements JobStore<SqliteTx> {
  readonly #clock: Clock
  readonly #session: string

  /** @param session differs from every other opening of the store */
  constructor(clock: Clock, session: string) {
    this.#clock = clock
    this.#session = session
  }

  async claim(tx: SqliteTx, link: LinkId, owner: string, ttlMs: number): Promise<Lease | undefined> {
    const now = this.#clock.monotonic()
    const held = tx.prepare('SELECT 1 FROM link_leases WHERE link = ? AND session = ? AND expires_at > ?')
    if (held.get(link, this.#session, now) !== undefined) return undefined
    const next = tx.prepare('UPDATE store SET leases = leases + 1 RETURNING leases').get()
    const fence = Number(next?.leases)
    try {
      tx.prepare(claimSql).run(link, owner, fence, this.#session, now + ttlMs)
    } catch (error) {
      throw isForeignKeyError(error) ? noSuchLink(link) : error
    }
    return { link, owner, fence }
  }

  async renew(tx: SqliteTx, lease: Lease, ttlMs: number): Promise<boolean> {
    const statement = tx.prepare(`UPDATE link_leases SET expires_at = ? WHERE ${ownedSql}`)
    const expiresAt = this.#clock.monotonic() + ttlMs
    return Number(statement.run(expiresAt, ...this.#owned(lease)).changes) > 0
  }

  async assertOwned(tx: SqliteTx, lease: Lease): Promise<void> {
    const row = tx.prepare(`SELECT 1 FROM link_leases WHERE ${ownedSql}`).get(...this.#owned(lease))
    if (row === undefined)
      throw new SyncError('lease/lost', `the lease of link ${lease.link} ended; someone else may own it now`)
  }

  async release(tx: SqliteTx, lease: Lease): Promise<void> {
    tx.prepare(`DELETE FROM link_leases WHERE ${ownedSql}`).run(...this.#owned(lease))
  }

  async releaseAll(tx: SqliteTx, owner: string): Promise<void> {
    tx.prepare('DELETE FROM link_leases WHERE owner = ?').run(owner)
  }

  #owned({ link, owner, fence }: Lease): [string, string, number, string, number] {
    return [link, owner, fence, this.#session, this.#clock.monotonic()]
  }
}
