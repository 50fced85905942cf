import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Progress } from '../kernel/progress.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { NodeControl, SyncDifference, SyncReport, SyncRequest } from '../node/control.ts'
import type { Filter } from '../planes/events/filter.ts'
import { type AgeRange, parseAgeRange } from './age-range.ts'
import { partlyFailed } from './failure.ts'
import { IdleLimit } from './idle-limit.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command, filterOption } from './options.ts'
import { number, progressLine, proofLine } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface SyncCommandOptions extends CommonOptions {
  readonly filter: Filter
  readonly dir: SyncRequest['direction']
  readonly range?: AgeRange
  readonly live?: boolean
  readonly printMissing?: boolean
  readonly timeout?: number
}

export function syncCommand(terminal: Terminal): Command {
  return command('sync', 'bring the local events into step with one or more relays', terminal)
    .argument('<url...>', 'relay URLs, ws:// or wss://')
    .addOption(
      new Option('--dir <direction>', 'which way events go; none: find the difference and move nothing')
        .choices(['down', 'up', 'both', 'none'])
        .default('both'),
    )
    .addOption(filterOption('only events matching this NIP-01 filter'))
    .option(
      '--range <start-end>',
      'only events of these ages: 2M-, 1Y-3w, -1d (units s m h d w M Y)',
      rangeFrom,
    )
    .option('--live', 'stay connected and keep in step until interrupted')
    .option('--print-missing', 'implies --dir none; a line "need,<id>" or "have,<id>" for each difference')
    .option('--timeout <seconds>', 'give up after so long without anything happening', secondsFrom)
    .action(async (urls: string[], options: SyncCommandOptions, self: Command) => {
      const { range, filter } = options
      if (range !== undefined && (filter.since !== undefined || filter.until !== undefined))
        self.error('error: --range and a filter with since or until say the same twice; give one of them')
      await using node = await openControl(options)
      const one = (url: string) => syncOne(node, terminal, url, options)
      const reports = options.live ? await Promise.all(urls.map(one)) : await inTurn(urls, one)
      const failed = reports.find(({ run }) => run.state !== 'idle' && !terminal.signal.aborted)
      if (failed !== undefined) {
        if (reports.some((report) => report.run.state === 'idle')) terminal.exitCode = partlyFailed
        else throw failure(failed)
      }
      if (terminal.signal.aborted && !options.live) terminal.exitCode = 1
    })
}

function failure({ url, run: { fault, reason } }: SyncReport): SyncError {
  const named = fault?.name === undefined ? {} : { fault: fault.name }
  return new SyncError(fault?.code ?? 'peer/unreachable', `${url}: ${reason}`, named)
}

async function syncOne(
  node: NodeControl,
  terminal: Terminal,
  url: string,
  options: SyncCommandOptions,
): Promise<SyncReport> {
  const { dir, live = false, range, timeout, printMissing = false } = options
  using idle = new IdleLimit(timeout)
  const onProgress = (progress: Progress) => {
    idle.heard()
    terminal.progress(() => progressLine(url, progress))
  }
  const onDifference = ({ need, have }: SyncDifference) => {
    idle.heard()
    if (!printMissing) return
    for (const id of need) void terminal.print(`need,${id}`)
    for (const id of have) void terminal.print(`have,${id}`)
  }
  const filter = { ...options.filter, ...range }
  const request = { url, direction: printMissing ? 'none' : dir, filter, live } as const
  const signal = AbortSignal.any([terminal.signal, idle.signal])
  const report = await node.syncOnce(request, { signal, onProgress, onDifference })
  if (idle.signal.aborted)
    throw new SyncError('peer/unreachable', `${url}: nothing happened for ${timeout} seconds; gave up`)
  // With --print-missing standard output is for the ids alone.
  if (printMissing) terminal.note(reportText(report, 'none'))
  else await terminal.result(report, () => reportText(report, dir))
  return report
}

function rangeFrom(text: string): AgeRange {
  const range = parseAgeRange(text, Math.floor(Date.now() / 1_000))
  if (range !== undefined) return range
  throw new InvalidArgumentError('write two ages, the older first, like 2M-, 1Y-3w or -1d')
}

function secondsFrom(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('must be a whole number of seconds from 1 on')
}

async function inTurn<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const value of values) results.push(await work(value))
  return results
}

function reportText({ url, run }: SyncReport, direction: SyncRequest['direction']): string {
  const { progress, proof, state, reason } = run
  if (state !== 'idle') return `${url}: not finished: ${reason}`
  if (direction === 'none') {
    const { need = 0, have = 0 } = progress?.counters ?? {}
    return `${url}: ${number(need)} events only there, ${number(have)} only here; nothing was moved.`
  }
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
