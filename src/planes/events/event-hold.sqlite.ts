import type { Clock } from '../../kernel/clock.ts'
import type { Migration, Store } from '../../kernel/store.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent, ParsedEvent } from './event.ts'
import type { EventHold, HeldEvent, HoldBounds, HoldStatus } from './event-hold.ts'
import { bytesOf, hexOf } from './event-key.sqlite.ts'

/** `raw` is null once the event was given up; until `until` it is held, or from then on remembered. */
const tables = `
CREATE TABLE held_events (
  id BLOB PRIMARY KEY NOT NULL,
  pubkey BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  raw TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_author ON held_events (pubkey) WHERE raw IS NOT NULL;
CREATE INDEX held_by_time ON held_events (until);

CREATE TABLE held_event_keys (
  key TEXT NOT NULL,
  id BLOB NOT NULL REFERENCES held_events ON DELETE CASCADE,
  PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_keys_by_event ON held_event_keys (id);
`

const holdMigrations: readonly Migration<SqliteTx>[] = [
  { id: 'event-hold-0001-create', up: (tx) => tx.db.exec(tables) },
]

const sizeSql = `
SELECT count(raw) AS events, coalesce(sum(length(raw)), 0) AS bytes, count(*) - count(raw) AS cold FROM held_events`
const waitingSql = `
SELECT DISTINCT held_events.raw, held_events.created_at, held_events.id FROM json_each(?) AS asked
JOIN held_event_keys ON held_event_keys.key = asked.value
JOIN held_events ON held_events.id = held_event_keys.id
WHERE held_events.raw IS NOT NULL AND held_events.until > ?
ORDER BY held_events.created_at, held_events.id LIMIT ?`
const isColdSql = `
SELECT 1 FROM held_event_keys JOIN held_events USING (id)
WHERE key IN (SELECT value FROM json_each(?)) AND raw IS NULL LIMIT 1`
const forgetSql = `
DELETE FROM held_events WHERE raw IS NULL AND id IN
  (SELECT id FROM held_event_keys WHERE key IN (SELECT value FROM json_each(?)))`
const putSql = `
INSERT INTO held_events (id, pubkey, created_at, until, raw) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET until = excluded.until, raw = excluded.raw`

export interface SqliteEventHoldOptions {
  readonly store: Store<SqliteTx>
  readonly clock: Clock
  readonly bounds: HoldBounds
}

export async function createSqliteEventHold(options: SqliteEventHoldOptions): Promise<EventHold<SqliteTx>> {
  await options.store.migrate(holdMigrations)
  return new SqliteEventHold(options)
}

class SqliteEventHold implements EventHold<SqliteTx> {
  readonly #store: Store<SqliteTx>
  readonly #clock: Clock
  readonly #bounds: HoldBounds
  readonly #listeners = new Set<(keys: readonly string[]) => void>()
  #refused = 0
  #expired = 0

  constructor({ store, clock, bounds }: SqliteEventHoldOptions) {
    this.#store = store
    this.#clock = clock
    this.#bounds = bounds
  }

  hold(events: readonly HeldEvent[]): Promise<readonly boolean[]> {
    return this.#store.transaction((tx) => this.holdIn(tx, events), { weight: events.length })
  }

  async holdIn(tx: SqliteTx, events: readonly HeldEvent[]): Promise<readonly boolean[]> {
    const size = tx.prepare(sizeSql).get()
    const used = { events: Number(size?.events), bytes: Number(size?.bytes) }
    const known = tx.prepare('SELECT raw IS NOT NULL AS hot FROM held_events WHERE id = ? AND until > ?')
    const addKey = tx.prepare('INSERT OR IGNORE INTO held_event_keys (key, id) VALUES (?, ?)')
    return events.map(({ parsed: { event, raw }, terms, again }) => {
      const id = bytesOf(event.id)
      const before = known.get(id, this.#now())
      if (before?.hot === 0 && !again) return false
      if (before?.hot !== 1) {
        if (!this.#hasRoom(tx, used, event, raw)) return false
        tx.prepare(putSql).run(id, bytesOf(event.pubkey), event.created_at, this.#now() + terms.seconds, raw)
        used.events++
        used.bytes += raw.length
        for (const listener of this.#listeners) listener(terms.keys)
      }
      for (const key of terms.keys) addKey.run(key, id)
      return true
    })
  }

  waitingFor(keys: readonly string[], limit: number): Promise<readonly ParsedEvent[]> {
    if (keys.length === 0) return Promise.resolve([])
    return this.#store.read((tx) =>
      tx
        .prepare(waitingSql)
        .all(JSON.stringify(keys), this.#now(), limit)
        .map(({ raw }) => ({ raw: String(raw), event: JSON.parse(String(raw)) as NostrEvent })),
    )
  }

  async release(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#store.transaction((tx) => {
      const remove = tx.prepare('DELETE FROM held_events WHERE id = ?')
      for (const id of ids) remove.run(bytesOf(id))
    })
  }

  async forget(keys: readonly string[]): Promise<void> {
    const asked = JSON.stringify(keys)
    // Nearly every accepted event is something nobody ever waited for, and must not cost a write.
    if (!(await this.#store.read((tx) => tx.prepare(isColdSql).get(asked) !== undefined))) return
    await this.#store.transaction((tx) => void tx.prepare(forgetSql).run(asked))
  }

  held(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#store.read((tx) => {
      const statement = tx.prepare('SELECT 1 FROM held_events WHERE id = ? AND until > ?')
      const now = this.#now()
      return new Set(ids.filter((id) => statement.get(bytesOf(id), now) !== undefined))
    })
  }

  async sweep(): Promise<readonly string[]> {
    const { coldSeconds, maxCold } = this.#bounds
    const now = this.#now()
    const gone = await this.#store.transaction((tx) => {
      tx.prepare('DELETE FROM held_events WHERE raw IS NULL AND until <= ?').run(now)
      const expired = tx
        .prepare(
          'UPDATE held_events SET raw = NULL, until = ? WHERE raw IS NOT NULL AND until <= ? RETURNING id',
        )
        .all(now + coldSeconds, now)
      const oldest = 'SELECT id FROM held_events WHERE raw IS NULL ORDER BY until DESC LIMIT -1 OFFSET ?'
      tx.prepare(`DELETE FROM held_events WHERE id IN (${oldest})`).run(maxCold)
      return expired.map(({ id }) => hexOf(id as Uint8Array))
    })
    this.#expired += gone.length
    return gone
  }

  onHeld(listener: (keys: readonly string[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  status(): Promise<HoldStatus> {
    return this.#store.read((tx) => {
      const size = tx.prepare(sizeSql).get()
      const [refused, expired] = [this.#refused, this.#expired]
      const [events, bytes, cold] = [size?.events, size?.bytes, size?.cold].map(Number) as [
        number,
        number,
        number,
      ]
      return { events, bytes, cold, refused, expired }
    })
  }

  /** The newcomer is left out and not the oldest: else one flood would push out all that others wait for. */
  #hasRoom(
    tx: SqliteTx,
    used: { events: number; bytes: number },
    { pubkey }: NostrEvent,
    raw: string,
  ): boolean {
    const { maxEvents, maxBytes, maxPerAuthor } = this.#bounds
    const ofAuthor = 'SELECT count(*) AS count FROM held_events WHERE pubkey = ? AND raw IS NOT NULL'
    const fits =
      used.events < maxEvents &&
      used.bytes + raw.length <= maxBytes &&
      Number(tx.prepare(ofAuthor).get(bytesOf(pubkey))?.count) < maxPerAuthor
    if (!fits) this.#refused++
    return fits
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}
