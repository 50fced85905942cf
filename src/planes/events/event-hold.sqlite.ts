import type { Clock } from '../../kernel/clock.ts'
import type { Migration, Store } from '../../kernel/store.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent, ParsedEvent } from './event.ts'
import type { EventHold, HeldEvent, HoldBounds, HoldStatus } from './event-hold.ts'
import { bytesOf, hexOf } from './event-key.sqlite.ts'

const tables = `
CREATE TABLE held_events (
  id BLOB PRIMARY KEY NOT NULL,
  pubkey BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_author ON held_events (pubkey);
CREATE INDEX held_by_time ON held_events (until);

CREATE TABLE held_event_keys (
  key TEXT NOT NULL,
  id BLOB NOT NULL REFERENCES held_events ON DELETE CASCADE,
  PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_keys_by_event ON held_event_keys (id);
`

export const holdMigrations: readonly Migration<SqliteTx>[] = [
  { id: 'event-hold-0001-create', up: (tx) => tx.db.exec(tables) },
]

const sizeSql = 'SELECT count(*) AS events, coalesce(sum(length(raw)), 0) AS bytes FROM held_events'
const waitingSql = `
SELECT DISTINCT held_events.raw, held_events.created_at, held_events.id FROM json_each(?) AS asked
JOIN held_event_keys ON held_event_keys.key = asked.value
JOIN held_events ON held_events.id = held_event_keys.id
WHERE held_events.until > ? ORDER BY held_events.created_at, held_events.id LIMIT ?`

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
  #refused = 0
  #expired = 0

  constructor({ store, clock, bounds }: SqliteEventHoldOptions) {
    this.#store = store
    this.#clock = clock
    this.#bounds = bounds
  }

  async holdIn(tx: SqliteTx, events: readonly HeldEvent[]): Promise<readonly boolean[]> {
    const { maxEvents, maxBytes, maxPerAuthor } = this.#bounds
    const size = tx.prepare(sizeSql).get()
    let count = Number(size?.events)
    let bytes = Number(size?.bytes)
    const known = tx.prepare('SELECT 1 FROM held_events WHERE id = ?')
    const ofAuthor = tx.prepare('SELECT count(*) AS count FROM held_events WHERE pubkey = ?')
    const insert = tx.prepare(
      'INSERT INTO held_events (id, pubkey, created_at, until, raw) VALUES (?, ?, ?, ?, ?)',
    )
    const addKey = tx.prepare('INSERT OR IGNORE INTO held_event_keys (key, id) VALUES (?, ?)')
    return events.map(({ parsed: { event, raw }, terms }) => {
      const id = bytesOf(event.id)
      if (known.get(id) === undefined) {
        // The newcomer is left out and not the oldest: else one flood would push out all that others wait for.
        const full = count >= maxEvents || bytes + raw.length > maxBytes
        if (full || Number(ofAuthor.get(bytesOf(event.pubkey))?.count) >= maxPerAuthor) {
          this.#refused++
          return false
        }
        insert.run(id, bytesOf(event.pubkey), event.created_at, this.#now() + terms.seconds, raw)
        count++
        bytes += raw.length
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

  held(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#store.read((tx) => {
      const statement = tx.prepare('SELECT 1 FROM held_events WHERE id = ? AND until > ?')
      const now = this.#now()
      return new Set(ids.filter((id) => statement.get(bytesOf(id), now) !== undefined))
    })
  }

  async sweep(): Promise<readonly string[]> {
    const gone = await this.#store.transaction((tx) =>
      tx
        .prepare('DELETE FROM held_events WHERE until <= ? RETURNING id')
        .all(this.#now())
        .map(({ id }) => hexOf(id as Uint8Array)),
    )
    this.#expired += gone.length
    return gone
  }

  status(): Promise<HoldStatus> {
    return this.#store.read((tx) => {
      const size = tx.prepare(sizeSql).get()
      const [refused, expired] = [this.#refused, this.#expired]
      return { events: Number(size?.events), bytes: Number(size?.bytes), refused, expired }
    })
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}
