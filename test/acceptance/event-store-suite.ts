import { orderOfArrival } from './event-store/arrival.ts'
import { bans } from './event-store/bans.ts'
import { reading } from './event-store/reading.ts'
import { reconciling } from './event-store/reconciling.ts'
import { rules } from './event-store/rules.ts'
import { transactions } from './event-store/transactions.ts'
import { type EventStoreConfig, type EventStoreSetup, openWorld } from './event-store/world.ts'

/** What every event store promises, run against one implementation. */
export function eventStoreSuite<Tx>(
  name: string,
  setup: (config: EventStoreConfig) => Promise<EventStoreSetup<Tx>>,
): void {
  const open = () => openWorld(setup)
  orderOfArrival(name, open)
  reading(name, open)
  rules(name, open)
  transactions(name, open)
  reconciling(name, open)
  bans(name, open)
}
