import type { Command } from 'commander'
import type { Filter } from '../planes/events/filter.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command, filterOption } from './options.ts'
import { number } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface QueryOptions extends CommonOptions {
  readonly filter: Filter
  readonly count?: boolean
}

export function queryCommand(terminal: Terminal): Command {
  return command('query', 'show stored events, newest first', terminal)
    .addOption(filterOption('a NIP-01 filter; its limit is honoured'))
    .option('--count', 'only how many there are, and the fingerprint of the set')
    .action(async (options: QueryOptions) => {
      await using node = await openControl(options)
      if (options.count) {
        const set = await node.count(options.filter)
        return terminal.result(set, () => `${number(set.count)} events, fingerprint ${set.fingerprint}`)
      }
      for await (const line of node.query(options.filter, terminal.signal)) await terminal.print(line)
    })
}
