import { silentLogger } from '../../src/kernel/logger.ts'
import { type Bulk, createBulk } from '../../src/planes/events/bulk/bulk.ts'
import type { Cursor } from '../../src/planes/events/bulk/cursor.ts'
import type { PageOptions } from '../../src/planes/events/bulk/page-options.ts'
import type { BulkPage } from '../../src/planes/events/bulk/page-reader.ts'
import type { RequestContext } from '../../src/planes/events/bulk/request-context.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import { type EventStore, everything } from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { createIngest } from '../../src/planes/events/ingest.ts'
import { defaultLimits } from '../../src/planes/events/limits.ts'
import { ReadPolicy } from '../../src/planes/events/policy/read-policy.ts'
import type { Verifier } from '../../src/planes/events/verifier.ts'
import { createWritePolicy } from '../../src/planes/events/write-policy.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../src/stores/sqlite/sqlite-tx.ts'
import { FakeClock } from './fake-clock.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Seconds since 1970 at which every world stands still. */
export const bulkNow = 1_700_000_000
export const restrictedKinds = [4, 1059]
export const local: RequestContext = { caller: 'local' }

export interface BulkWorld extends AsyncDisposable {
  readonly bulk: Bulk
  readonly events: EventStore<SqliteTx>
  /** Pages the store was asked for so far. */
  readonly reads: () => number
  /** Stores without any check, in one transaction. */
  put(events: readonly NostrEvent[]): Promise<void>
  /** Texts of everything stored, by key. */
  stored(): Promise<readonly string[]>
}

/** The bulk API of a node, on a SQLite file of its own. */
export async function bulkWorld(verifier: Verifier): Promise<BulkWorld> {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const store = opening.use(await createSqliteStore({ dir: folder.path }))
  const [clock, log, limits] = [new FakeClock(bulkNow * 1_000), silentLogger, defaultLimits]
  const relayUrls = ['wss://relay.example/']
  const events = opening.use(await createSqliteEventStore({ store, clock, log, relayUrls, restrictedKinds }))
  const policy = createWritePolicy({ limits })
  const ingest = createIngest({ store: events, verifier, policy, limits, clock, relayUrls })
  let reads = 0
  const counted: Pick<EventStore<SqliteTx>, 'page'> = {
    page(request) {
      reads++
      return events.page(request)
    },
  }
  const stack = opening.move()
  return {
    bulk: createBulk({ store: counted, ingest, limits, readPolicy: new ReadPolicy({ restrictedKinds }) }),
    events,
    reads: () => reads,
    async put(list) {
      await events.put(list.map((event) => ({ event, raw: JSON.stringify(event) })))
    },
    async stored() {
      const request = { filter: {}, order: 'asc', limit: 10_000, visibility: everything } as const
      return (await events.page(request)).events.map(({ raw }) => raw)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** All pages of a walk. @throws when one fails */
export async function allPages(bulk: Bulk, filter: Filter, options: PageOptions): Promise<BulkPage[]> {
  const pages: BulkPage[] = []
  let afterKey: Cursor | null | undefined = options.afterKey
  for (;;) {
    const page = await bulk.pageEvents(filter, { ...options, afterKey })
    if (!page.ok) throw new Error(page.error, { cause: page.detail })
    pages.push(page.value)
    if (page.value.complete) return pages
    afterKey = page.value.nextCursor
  }
}
