import type { Command } from 'commander'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import { relayLines } from './relay-lines.ts'
import type { Terminal } from './terminal.ts'

export function statusCommand(terminal: Terminal): Command {
  return command('status', 'what the node holds and what its relays are doing', terminal)
    .argument('[url]', 'only this relay')
    .action(async (url: string | undefined, options: CommonOptions) => {
      await using node = await openControl(options)
      const status = await node.status()
      const relays = url === undefined ? status.relays : [await node.relay(url)]
      await terminal.result({ ...status, relays }, () =>
        [
          status.listening === undefined ? 'Not running.' : `Running, relay on ${status.listening}.`,
          `${number(status.events.count)} events in ${status.directory}, fingerprint ${status.events.fingerprint}.`,
          ...relays.flatMap((entry) => relayLines(entry, Date.now())),
        ].join('\n'),
      )
    })
}
