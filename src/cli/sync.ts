import type { Command } from 'commander'
import type { Direction } from '../kernel/link.ts'
import type { Progress } from '../kernel/progress.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { SyncReport } from '../node/control.ts'
import type { Filter } from '../planes/events/filter.ts'
import { partlyFailed } from './failure.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command, directionOption, filterOption } from './options.ts'
import { progressLine, proofLine } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface SyncCommandOptions extends CommonOptions {
  readonly filter: Filter
  readonly dir: Direction
  readonly live?: boolean
}

export function syncCommand(terminal: Terminal): Command {
  return command('sync', 'bring the local events into step with one or more relays', terminal)
    .argument('<url...>', 'relay URLs, ws:// or wss://')
    .addOption(directionOption('both'))
    .addOption(filterOption('only events matching this NIP-01 filter'))
    .option('--live', 'stay connected and keep in step until interrupted')
    .action(async (urls: string[], options: SyncCommandOptions) => {
      await using node = await openControl(options)
      const one = async (url: string): Promise<SyncReport> => {
        const onProgress = (progress: Progress) => terminal.progress(() => progressLine(url, progress))
        const request = { url, direction: options.dir, filter: options.filter, live: options.live === true }
        const report = await node.syncOnce(request, { signal: terminal.signal, onProgress })
        await terminal.result(report, () => reportText(report))
        return report
      }
      const reports = options.live ? await Promise.all(urls.map(one)) : await inTurn(urls, one)
      const failed = reports.find(({ run }) => run.state !== 'idle' && !terminal.signal.aborted)
      if (failed !== undefined) {
        const { run, url } = failed
        if (reports.some((report) => report.run.state === 'idle')) terminal.exitCode = partlyFailed
        else throw new SyncError(run.fault?.code ?? 'peer/unreachable', `${url}: ${run.reason}`)
      }
      if (terminal.signal.aborted && !options.live) terminal.exitCode = 1
    })
}

async function inTurn<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const value of values) results.push(await work(value))
  return results
}

function reportText({ url, run }: SyncReport): string {
  const { progress, proof, state, reason } = run
  if (state !== 'idle') return `${url}: not finished: ${reason}`
  const {
    accepted = 0,
    uploaded = 0,
    rejected = 0,
    uploadRefused = 0,
    missing = 0,
  } = progress?.counters ?? {}
  const odd = [
    rejected > 0 && `${rejected} refused here`,
    uploadRefused > 0 && `${uploadRefused} refused there`,
    missing > 0 && `${missing} offered but not delivered`,
  ].filter((text) => text !== false)
  const moved = `${accepted} down, ${uploaded} up${odd.length > 0 ? ` (${odd.join(', ')})` : ''}`
  return `${url}: ${moved}. ${proof === undefined ? '' : proofLine(proof)}`.trimEnd()
}
