import type { Migration, Store } from '../../../kernel/store.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'
import { canonicalFilter } from '../filter-hash.ts'
import type { Capability, Grant, GrantTable } from './acl.ts'

const tables = `
CREATE TABLE event_grants (
  principal TEXT NOT NULL,
  capability TEXT NOT NULL,
  match TEXT NOT NULL,
  PRIMARY KEY (principal, capability, match)
) STRICT, WITHOUT ROWID;
`

const migrations: readonly Migration<SqliteTx>[] = [
  { id: 'event-policy-0001-grants', up: (tx) => tx.db.exec(tables) },
]

/** Grants by the canonical form of what they match, so that one grant spelled twice is one row. */
export async function openGrantTable(store: Store<SqliteTx>): Promise<GrantTable> {
  await store.migrate(migrations)
  const valuesOf = ({ principal, capability, match }: Grant) =>
    [principal, capability, canonicalFilter(match)] as const
  return {
    all: () =>
      store.read((tx) =>
        tx
          .prepare('SELECT principal, capability, match FROM event_grants')
          .all()
          .map(({ principal, capability, match }) => ({
            principal_type: 'pubkey' as const,
            principal: String(principal),
            capability: capability as Capability,
            match: JSON.parse(String(match)),
          })),
      ),
    add: (grant) =>
      store.transaction((tx) => {
        const sql = 'INSERT OR IGNORE INTO event_grants (principal, capability, match) VALUES (?, ?, ?)'
        tx.prepare(sql).run(...valuesOf(grant))
      }),
    remove: (grant) =>
      store.transaction((tx) => {
        const sql = 'DELETE FROM event_grants WHERE principal = ? AND capability = ? AND match = ?'
        return tx.prepare(sql).run(...valuesOf(grant)).changes > 0
      }),
  }
}
