import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { SyncError } from '../kernel/sync-error.ts'
import { normalizeRelayUrl } from '../planes/events/definition/relay-url.ts'
import { ConfigTextError, parseConfigText } from './config-text.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { relayBody } from './relay-body.ts'
import { type RouterRelay, routerRelays } from './router-streams.ts'
import { settled, settledRelay } from './settled.ts'
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
        settled(await node.sync.listServers()).map(({ url }) => normalizeRelayUrl(url)),
      )
      const added = relays.filter(({ url }) => !configured.has(normalizeRelayUrl(url)))
      const kept = relays.filter(({ url }) => configured.has(normalizeRelayUrl(url))).map(({ url }) => url)
      if (options.dryRun !== true)
        for (const relay of added) settledRelay(relay.url, await node.sync.createRelay(relayBody(relay)))
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
