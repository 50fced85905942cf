import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../kernel/clock.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { NodeControl } from '../node/control.ts'
import {
  type DispatchMode,
  type DispatchReport,
  dispatchModes,
  type SkipReason,
} from '../node/sync-control.ts'
import { isRunning, openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

/** How often a command that started runs itself looks whether they ended. */
const lookMs = 200

export function triggerCommand(terminal: Terminal): Command {
  return command('trigger', 'ask relays for a sync now', terminal)
    .argument('[mode]', `one of ${dispatchModes.join(', ')}`, modeFrom, 'realtime')
    .argument('[url]', 'only this relay')
    .action(async (wanted: DispatchMode, url: string | undefined, options: CommonOptions) => {
      await using node = await openControl(options)
      await trigger(node, terminal, wanted, url)
    })
}

/** Sets runs going and says which; where no node runs, does them here and waits for their end. */
export async function trigger(
  node: NodeControl,
  terminal: Terminal,
  mode: DispatchMode,
  url: string | undefined,
): Promise<void> {
  const report = await node.sync.trigger(mode, url)
  if (!isRunning(node)) await untilIdle(node, report, terminal.signal)
  await terminal.result(report, () => dispatchText(report))
  const unknown = report.skipped.find(({ reason }) => reason === 'unknown_relay')
  if (unknown !== undefined)
    throw new SyncError(
      'config/invalid',
      `no relay ${unknown.url} is configured; "syncline relay list" shows all`,
    )
}

async function untilIdle(
  node: NodeControl,
  { dispatched }: DispatchReport,
  signal: AbortSignal,
): Promise<void> {
  const ids = new Set(dispatched.map(({ id }) => id))
  const busy = async () =>
    (await node.sync.states()).some(({ relay_id, status }) => ids.has(relay_id) && status === 'syncing')
  while (ids.size > 0 && !signal.aborted && (await busy()))
    await systemClock.sleep(lookMs, signal).catch(() => {})
}

function modeFrom(text: string): DispatchMode {
  const mode = dispatchModes.find((one) => one === text)
  if (mode !== undefined) return mode
  throw new InvalidArgumentError(`the modes are ${dispatchModes.join(', ')}`)
}

const reasons: Readonly<Record<SkipReason, string>> = {
  unknown_relay: 'not configured',
  relay_disabled: 'disabled',
  stopped: 'stopped',
  backfill_disabled: 'its history is not wanted (backfill is off)',
  direction_mismatch: 'its direction does not fit',
  already_syncing: 'it syncs already',
  live: 'it is live: new events come by themselves',
  backfill_complete: 'its history is complete',
  backing_off: 'it waits after failures',
}

function dispatchText({ mode, dispatched, skipped }: DispatchReport): string {
  const urls = [...new Set(dispatched.map(({ url }) => url))]
  return [
    urls.length === 0 ? `No ${mode} sync was started.` : `Started ${mode}: ${urls.join(', ')}`,
    ...skipped.map(({ url, reason }) => `  skipped ${url}: ${reasons[reason]}`),
  ].join('\n')
}
