import type { Command } from 'commander'
import type { Filter } from '../planes/events/filter.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command, filterOption } from './options.ts'
import type { Terminal } from './terminal.ts'

export function exportCommand(terminal: Terminal): Command {
  return command('export', 'write stored events as JSONL, oldest first, each as it was received', terminal)
    .addOption(filterOption('only events matching this NIP-01 filter'))
    .action(async (options: CommonOptions & { readonly filter: Filter }) => {
      await using node = await openControl(options)
      for await (const line of node.export(options.filter, terminal.signal)) await terminal.print(line)
    })
}
