import type { NostrEvent } from '../event.ts'
import type { EventStore } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { Ingest } from '../ingest.ts'
import { type BulkResult, failed } from './bulk-result.ts'
import {
  type CopyFunction,
  type CopyOutcome,
  type CopyProgress,
  copyPages,
  type Deliver,
  deliverTo,
} from './event-copy.ts'
import { type BulkImportOptions, type BulkImportResult, importBatch } from './event-import.ts'
import { eventStream } from './event-stream.ts'
import { type PageOptions, type PageRules, parsePageOptions } from './page-options.ts'
import { type BulkPage, PageReader } from './page-reader.ts'

/** Events of this node: those of one filter, which stands alone, in `{ local }`, or as `'local'` in the options. */
export type CopySource = 'local' | { readonly local: Filter } | Filter

/** Into this node, or to a function. */
export type CopyTarget = 'local' | CopyFunction | { readonly fun: CopyFunction }

export interface CopyOptions extends PageOptions {
  /** What to copy from the source `'local'`. */
  readonly filter?: Filter
  /** Awaited; what it throws ends the copy with `progress_failed`. */
  readonly progress?: (...step: CopyProgress) => unknown
}

export interface BulkParts<Tx> extends PageRules {
  readonly store: Pick<EventStore<Tx>, 'page'>
  readonly ingest: Pick<Ingest<Tx>, 'accept'>
}

/**
 * Walks and copies any number of stored events by pages, with what a relay shows the same reader (spec events §3).
 * Failures are results, not exceptions.
 */
export interface Bulk {
  /** One page. `filter` must have neither `limit` nor `search`. */
  pageEvents(filter: Filter, options: PageOptions): Promise<BulkResult<BulkPage>>
  /**
   * The events of all pages, `asc` only. Nothing is read before it is asked for, and one page is held at a time. Iterates once;
   * throws SyncPageError when a page fails.
   */
  streamEvents(filter: Filter, options: PageOptions): BulkResult<AsyncGenerator<NostrEvent, void, undefined>>
  /** Hands all pages to the target, one after the other. */
  copyEvents(source: CopySource, target: CopyTarget, options: CopyOptions): Promise<CopyOutcome>
  /** Publishes up to 5000 events, or their texts, in one transaction. A bad event never affects its neighbours. */
  importEvents(
    events: readonly (NostrEvent | string)[],
    options: BulkImportOptions,
  ): Promise<BulkResult<BulkImportResult>>
}

export function createBulk<Tx>(parts: BulkParts<Tx>): Bulk {
  const { store, ingest } = parts
  return {
    async pageEvents(filter, options) {
      const walk = parsePageOptions(filter, options, parts)
      return walk.ok ? await new PageReader(store, walk.value, parts.readPolicy).read(walk.value.after) : walk
    },
    streamEvents(filter, options) {
      const walk = parsePageOptions(filter, options, parts)
      if (!walk.ok) return walk
      if (walk.value.order !== 'asc') return failed('invalid_order', 'a stream is ascending')
      const reader = new PageReader(store, walk.value, parts.readPolicy)
      return { ok: true, value: eventStream(reader, walk.value.after) }
    },
    async copyEvents(source, target, options) {
      const nothing = { pages: 0, events: 0, accepted: 0, duplicates: 0, rejected: 0 }
      const partial = { ...nothing, lastCursor: null }
      const filter = filterOf(source, options)
      if (!filter.ok) return { ...filter, partial }
      const deliver = deliveryTo(target, ingest, options)
      if (!deliver.ok) return { ...deliver, partial }
      const walk = parsePageOptions(filter.value, options, parts)
      if (!walk.ok) return { ...walk, partial }
      const reader = new PageReader(store, walk.value, parts.readPolicy)
      return await copyPages(reader, walk.value.after, deliver.value, options.progress)
    },
    importEvents: (events, options) => importBatch(ingest, events, options),
  }
}

/** Still unchecked as a filter. */
function filterOf(source: CopySource, options: CopyOptions | undefined): BulkResult<object> {
  const bare: unknown = source === 'local' ? options?.filter : source
  const filter = isObject(bare) && 'local' in bare ? bare.local : bare
  if (isObject(filter)) return { ok: true, value: filter }
  return failed('invalid_source', 'a source is a filter, { local: filter }, or "local" with a filter')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function deliveryTo<Tx>(
  target: CopyTarget,
  ingest: Pick<Ingest<Tx>, 'accept'>,
  options: CopyOptions,
): BulkResult<Deliver> {
  if (target === 'local') return { ok: true, value: ({ raws }) => importBatch(ingest, raws, options) }
  const fun = typeof target === 'function' ? target : (target as { fun?: unknown } | null | undefined)?.fun
  if (typeof fun !== 'function')
    return failed('invalid_target', 'a target is "local", a function, or { fun: function }')
  return { ok: true, value: (page) => deliverTo(fun as CopyFunction, page) }
}
