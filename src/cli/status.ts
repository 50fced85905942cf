import type { Command } from 'commander'
import type { GitStatus } from '../node/control.ts'
import type { RowsStatus } from '../node/rows/rows-control.ts'
import type { SyncHealth } from '../node/sync-control.ts'
import { documentsLines } from './doc-words.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import { relayReport } from './relay-report.ts'
import { relayViews } from './relay-view.ts'
import { settled } from './settled.ts'
import type { Terminal } from './terminal.ts'

export function statusCommand(terminal: Terminal): Command {
  return command('status', 'what the node holds and what its relays are doing', terminal)
    .argument('[relay]', 'only this one, by URL or id')
    .action(async (which: string | undefined, options: CommonOptions) => {
      await using node = await openControl(options)
      const [status, relays, health] = await Promise.all([
        node.status(),
        relayViews(node, which),
        node.sync.syncHealth().then(settled),
      ])
      await terminal.result({ ...status, relays, health }, () => {
        const running = status.listening !== undefined
        const options = { now: Date.now(), running }
        const report = relays.flatMap(({ states, ...server }) => relayReport(server, states, options))
        return [
          running ? `Running, relay on ${status.listening}.` : 'Not running.',
          `${number(status.events.count)} events in ${status.directory}, fingerprint ${status.events.fingerprint}.`,
          ...(relays.length === 0 ? ['No relays yet; add one with "syncline relay add".'] : report),
          ...gitLines(status.git),
          ...quarantineLines(health),
          ...rowsLines(status.rows),
          ...documentsLines(status.documents, Date.now()),
        ].join('\n')
      })
    })
}

function gitLines(git: GitStatus | undefined): string[] {
  if (git === undefined) return []
  if ('problem' in git) return [`Git data is not kept: ${git.problem}.`]
  const { objects, bytes, queued, running, naughty, failures } = git
  const due =
    queued === 0 ? 'nothing to do' : `${number(queued)} repositories to look at, ${number(running)} now`
  const apart = naughty === 0 ? '' : `, ${number(naughty)} hosts left alone`
  const failed = failures === 0 ? '' : `, ${number(failures)} failures (see the log)`
  return [`Git data: ${number(objects)} refs fetched in ${number(bytes)} bytes; ${due}${apart}${failed}.`]
}

function quarantineLines({ config_quarantined }: SyncHealth): string[] {
  return config_quarantined.map(
    ({ id, reason }) => `${id}: its stored definition cannot be read and is kept as it is (${reason})`,
  )
}

function rowsLines(rows: RowsStatus | undefined): string[] {
  if (rows === undefined) return []
  const { healthy, problem, database, tables, history } = rows
  const kept = history === undefined ? '' : `, ${number(history.bundles)} bundles kept`
  return [
    `Rows of ${tables.length} tables from ${database}${kept}${healthy ? '.' : `: ${problem ?? 'not healthy'}.`}`,
  ]
}
