import { SyncError } from '../kernel/sync-error.ts'
import type { Ingest, IngestResult } from '../planes/events/ingest.ts'
import type { ImportOptions, ImportReport } from './control.ts'

const batchLines = 500
/** Batches being checked or stored at a time: one in the verifier, one in the store, one being read. */
const maxInFlight = 3
const maxReasons = 100

/**
 * Stores events given one per line, in batches of which several are under way at once. What the report counts as
 * accepted is durable.
 */
export async function importEvents<Tx>(
  ingest: Ingest<Tx>,
  lines: AsyncIterable<string>,
  { verify, signal, onProgress }: ImportOptions,
): Promise<ImportReport> {
  const report = {
    accepted: 0,
    duplicates: 0,
    rejected: 0,
    reasons: [] as { line: number; reason: string }[],
  }
  const running = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  let lineNumber = 0
  let batch: string[] = []
  const flush = async () => {
    const [raws, first] = [batch, lineNumber - batch.length + 1]
    batch = []
    const work = ingest
      .accept(raws, { source: 'import', remote: 'import', trusted: !verify }, signal)
      .then((results) => {
        for (const [i, result] of results.entries()) tally(report, result, first + i)
        onProgress({ ...report })
      })
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => running.delete(work))
    running.add(work)
    if (running.size >= maxInFlight) await Promise.race(running)
  }
  for await (const line of lines) {
    signal.throwIfAborted()
    if (failure !== undefined) break
    lineNumber++
    batch.push(line)
    if (batch.length === batchLines) await flush()
  }
  if (batch.length > 0) await flush()
  await Promise.all(running)
  if (failure !== undefined) throw failure.error
  return report
}

function tally(
  report: {
    accepted: number
    duplicates: number
    rejected: number
    reasons: { line: number; reason: string }[]
  },
  { accepted, outcome, reason }: IngestResult,
  line: number,
): void {
  // Nothing is wrong with the event: going on would report a full disk as a file of bad events.
  if (outcome === 'failed') throw new SyncError('store/busy', `line ${line}: ${reason}`)
  if (!accepted) {
    report.rejected++
    if (report.reasons.length < maxReasons) report.reasons.push({ line, reason })
  } else if (outcome === 'duplicate' || outcome === 'superseded') report.duplicates++
  else report.accepted++
}
