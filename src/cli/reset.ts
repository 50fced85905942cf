import type { Command } from 'commander'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { namedRelay } from './relay-view.ts'
import { settled } from './settled.ts'
import type { Terminal } from './terminal.ts'

export function resetCommand(terminal: Terminal): Command {
  return command('reset', 'forget how far the sync with a relay got; events stay', terminal)
    .argument('[url]', 'only this relay; all of them when left out, after asking')
    .option('--yes', 'do not ask')
    .action(async (url: string | undefined, options: CommonOptions & { readonly yes?: boolean }) => {
      await using node = await openControl(options)
      if (url === undefined && options.yes !== true) {
        const all = settled(await node.sync.listServers())
        const answer = await terminal.ask(`Forget how far the sync with all ${all.length} relays got? [y/N] `)
        if (!/^y(es)?$/i.test(answer.trim())) return terminal.result({ reset: 0 }, () => 'Nothing was reset.')
      }
      if (url !== undefined) await namedRelay(node, url)
      const { reset } = await node.sync.reset(url)
      await terminal.result(
        { reset },
        () => `${reset} link${reset === 1 ? '' : 's'} will start from the beginning.`,
      )
    })
}
