import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { corpusFile } from '../harness/corpus-file.ts'
import { measuredCommand } from '../harness/measured-command.ts'

const count = Number(process.env.SYNCLINE_TEST_BENCH_EVENTS ?? 200_000)

/** B2: signed events from a file into an empty store, every signature checked, every commit synced to disk. */
export async function run(): Promise<Record<string, unknown>> {
  const corpus = await corpusFile(count)
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  try {
    const { seconds, peakMb, cpuSeconds, output } = await measuredCommand([
      'import',
      corpus.path,
      '--data',
      folder,
    ])
    const report = output as { accepted: number; rejected: number }
    return {
      events: count,
      corpus: corpus.digest,
      stored: report.accepted,
      rejected: report.rejected,
      eventsPerSecond: Math.round(count / seconds),
      seconds: Number(seconds.toFixed(1)),
      cpuSeconds,
      peakMb,
      verified: true,
      synchronous: 'FULL',
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
