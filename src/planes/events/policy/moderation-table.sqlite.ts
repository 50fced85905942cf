import type { Migration, Store } from '../../../kernel/store.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'
import type { ModerationList, ModerationTable } from './moderation.ts'

const tables = `
CREATE TABLE event_moderation (
  list TEXT NOT NULL,
  value TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (list, value)
) STRICT, WITHOUT ROWID;
`

const migrations: readonly Migration<SqliteTx>[] = [
  { id: 'event-moderation-0001-create', up: (tx) => tx.db.exec(tables) },
]

export async function openModerationTable(store: Store<SqliteTx>): Promise<ModerationTable> {
  await store.migrate(migrations)
  return {
    all: () =>
      store.read((tx) =>
        tx
          .prepare('SELECT list, value, note FROM event_moderation')
          .all()
          .map(({ list, value, note }) => ({
            list: list as ModerationList,
            value: String(value),
            note: String(note),
          })),
      ),
    put: ({ list, value, note }) =>
      store.transaction((tx) => {
        const sql =
          'INSERT INTO event_moderation (list, value, note) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET note = excluded.note'
        tx.prepare(sql).run(list, value, note)
      }),
    remove: (list, value) =>
      store.transaction((tx) => {
        const sql = 'DELETE FROM event_moderation WHERE list = ? AND value = ?'
        return tx.prepare(sql).run(list, value).changes > 0
      }),
  }
}
