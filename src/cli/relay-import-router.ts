import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { SyncError } from '../kernel/sync-error.ts'
import { ConfigTextError, parseConfigText } from './config-text.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { type RouterRelay, routerRelays } from './router-streams.ts'
import type { Terminal } from './terminal.ts'

interface ImportOptions extends CommonOptions {
  readonly dryRun?: boolean
}

export function relayImportRouterCommand(terminal: Terminal): Command {
  return command('import-router', "add the relays of strfry's router configuration", terminal)
    .argument('<file>', 'the configuration with its block "streams"')
    .option('--dry-run', 'only say what would be added')
    .action(async (file: string, options: ImportOptions) => {
      const relays = await readRouter(file)
      await using node = await openControl(options)
      const configured = new Set(
        (await node.relays()).flatMap(({ peer }) => peer.addresses.map(({ value }) => value)),
      )
      const added = relays.filter(({ url }) => !configured.has(url))
      const kept = relays.filter(({ url }) => configured.has(url)).map(({ url }) => url)
      if (options.dryRun !== true) for (const relay of added) await node.addRelay(relay)
      const verb = options.dryRun === true ? 'Would add' : 'Added'
      await terminal.result({ added, kept, dryRun: options.dryRun === true }, () =>
        [
          ...added.map((relay) => `${verb} ${describe(relay)}`),
          ...kept.map((url) => `${url} is configured already and stays as it is.`),
        ].join('\n'),
      )
    })
}

async function readRouter(file: string): Promise<readonly RouterRelay[]> {
  try {
    return routerRelays(parseConfigText(await readFile(file, 'utf8')))
  } catch (error) {
    if (!(error instanceof ConfigTextError)) throw error
    throw new SyncError('config/invalid', `${file}, line ${error.line}: ${error.message}`)
  }
}

const describe = ({ url, direction, filters }: RouterRelay): string =>
  `${url}: ${direction} ${filters.map((filter) => JSON.stringify(filter)).join(' and ')}, live`
