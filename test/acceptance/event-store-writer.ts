import { systemClock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { asParsed, craft, hexId } from './event-arbitrary.ts'

// A process to be killed: stores events without end and prints, after each put, how many are promised to stay.
const [, , dir = ''] = process.argv
const store = await createSqliteStore({ dir })
const options = { store, relayUrls: [], restrictedKinds: [4, 1059], clock: systemClock, log: silentLogger }
const events = await createSqliteEventStore(options)
for (let at = 0; ; at += 50) {
  const batch = Array.from({ length: 50 }, (_, k) =>
    craft({ id: hexId(at + k), kind: 1, created_at: (at * 31 + k) % 999 }),
  )
  await events.put(batch.map(asParsed))
  console.log(at + 50)
}
