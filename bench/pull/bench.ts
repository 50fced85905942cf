import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from '../../test/helpers/running-node.ts'
import { corpusFile } from '../harness/corpus-file.ts'
import { builtEntry, measuredCommand } from '../harness/measured-command.ts'

const count = Number(process.env.SYNCLINE_TEST_BENCH_EVENTS ?? 200_000)

/** B3: an empty node pulls everything from one relay over loopback, every signature checked, every commit synced. */
export async function run(): Promise<Record<string, unknown>> {
  const corpus = await corpusFile(count)
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  try {
    const source = join(folder, 'source')
    const sink = join(folder, 'sink')
    await measuredCommand(['import', corpus.path, '--data', source])
    await using node = await startNode(source, [], builtEntry)
    const pull = await measuredCommand(['sync', node.url, '--dir', 'down', '--data', sink])
    const again = await measuredCommand(['sync', node.url, '--dir', 'down', '--data', sink])
    const { run } = pull.output as {
      run: { progress: { counters: Record<string, number> }; proof: { equal: boolean } }
    }
    return {
      events: count,
      corpus: corpus.digest,
      accepted: run.progress.counters.accepted,
      equal: run.proof.equal,
      rounds: run.progress.counters.rounds,
      eventsPerSecond: Math.round((run.progress.counters.accepted ?? 0) / pull.seconds),
      seconds: Number(pull.seconds.toFixed(1)),
      cpuSeconds: pull.cpuSeconds,
      peakMb: pull.peakMb,
      sourcePeakMb: await node.peakMb(),
      secondRunSeconds: Number(again.seconds.toFixed(2)),
      verified: true,
      synchronous: 'FULL',
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
