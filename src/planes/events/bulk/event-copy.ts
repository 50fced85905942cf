import type { NostrEvent } from '../event.ts'
import { type BulkFailure, type BulkResult, failed } from './bulk-result.ts'
import type { Cursor } from './cursor.ts'
import type { ImportCounts } from './event-import.ts'
import type { BulkPage, PageReader } from './page-reader.ts'

export interface CopyResult extends ImportCounts {
  /** Pages read, an empty last one included. */
  readonly pages: number
  /** Events handed to the target. */
  readonly events: number
  /** `nextCursor` of the last page that had rows. */
  readonly lastCursor: Cursor | null
}

/** `partial` covers the pages the target took: go on with `afterKey: partial.lastCursor`, and nothing is lost or repeated. */
export type CopyOutcome =
  | { readonly ok: true; readonly value: CopyResult }
  | (BulkFailure & { readonly partial: CopyResult })

/** `page`: read, not yet handed over. `imported`: taken by the target. `completed`: once, at the end of all pages. */
export type CopyProgress =
  | [kind: 'page', info: PageProgress]
  | [kind: 'imported', info: ImportCounts & { readonly totals: CopyResult }]
  | [kind: 'completed', info: CopyResult]

export interface PageProgress extends Pick<BulkPage, 'rawCount' | 'nextCursor' | 'complete'> {
  /** How many the caller may see. */
  readonly events: number
  /** From 1. */
  readonly pageNumber: number
}

/**
 * Takes the events of one page; never called for none, nor again before it has answered. Undefined, true and `'ok'` mean that
 * all were accepted; counts, alone or as the result of an import, are added up; anything else stops the copy.
 */
export type CopyFunction = (events: readonly NostrEvent[], page: BulkPage) => unknown

/** Takes a page that has events; answers with what became of them. */
export type Deliver = (page: BulkPage) => Promise<BulkResult<ImportCounts>>

export async function copyPages<Tx>(
  reader: PageReader<Tx>,
  start: Cursor | null,
  deliver: Deliver,
  progress: ((...step: CopyProgress) => unknown) | undefined,
): Promise<CopyOutcome> {
  let totals: CopyResult = { pages: 0, events: 0, accepted: 0, duplicates: 0, rejected: 0, lastCursor: null }
  // Failing on the first page must not send a copy that was itself resumed back to the beginning.
  const stop = (failure: BulkFailure): CopyOutcome => {
    return { ...failure, partial: { ...totals, lastCursor: totals.lastCursor ?? start } }
  }
  for (;;) {
    const read = await reader.read(totals.lastCursor ?? start)
    if (!read.ok) return stop(read)
    const page = read.value
    const told = await tell(progress, 'page', pageProgress(page, totals.pages + 1))
    if (told !== undefined) return stop(told)
    const counts = page.events.length === 0 ? undefined : await deliver(page)
    if (counts?.ok === false) return stop(counts)
    totals = added(totals, page, counts?.value)
    if (counts !== undefined) {
      const { accepted, duplicates, rejected } = counts.value
      const failure = await tell(progress, 'imported', { accepted, duplicates, rejected, totals })
      if (failure !== undefined) return stop(failure)
    }
    if (page.complete) break
  }
  const failure = await tell(progress, 'completed', totals)
  return failure === undefined ? { ok: true, value: totals } : stop(failure)
}

export async function deliverTo(target: CopyFunction, page: BulkPage): Promise<BulkResult<ImportCounts>> {
  const accepted = { accepted: page.events.length, duplicates: 0, rejected: 0 }
  let answer: unknown
  try {
    answer = await target(page.events, page)
  } catch (error) {
    return failed('target_failed', error)
  }
  if (answer === undefined || answer === true || answer === 'ok') return { ok: true, value: accepted }
  const counts = isRecord(answer) && answer.ok === true ? answer.value : answer
  return isCounts(counts) ? { ok: true, value: counts } : failed('target_failed', answer)
}

function isCounts(value: unknown): value is ImportCounts {
  if (!isRecord(value) || value.error !== undefined) return false
  const { accepted, duplicates, rejected } = value
  return [accepted, duplicates, rejected].every((count) => Number.isSafeInteger(count) && Number(count) >= 0)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function pageProgress(
  { events, rawCount, nextCursor, complete }: BulkPage,
  pageNumber: number,
): PageProgress {
  return { events: events.length, rawCount, nextCursor, complete, pageNumber }
}

function added(totals: CopyResult, page: BulkPage, counts: ImportCounts | undefined): CopyResult {
  return {
    pages: totals.pages + 1,
    events: totals.events + page.events.length,
    accepted: totals.accepted + (counts?.accepted ?? 0),
    duplicates: totals.duplicates + (counts?.duplicates ?? 0),
    rejected: totals.rejected + (counts?.rejected ?? 0),
    lastCursor: page.nextCursor ?? totals.lastCursor,
  }
}

async function tell(
  progress: ((...step: CopyProgress) => unknown) | undefined,
  ...step: CopyProgress
): Promise<BulkFailure | undefined> {
  try {
    await progress?.(...step)
    return undefined
  } catch (error) {
    return failed('progress_failed', error)
  }
}
