import type { Command } from 'commander'
import type { Server } from '../node/sync-control.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { settled } from './settled.ts'
import type { Terminal } from './terminal.ts'

export function relaysCommand(terminal: Terminal): Command {
  return command('relays', 'what each relay is set to do, and how many do what', terminal).action(
    async (options: CommonOptions) => {
      await using node = await openControl(options)
      const servers = settled(await node.sync.listServers())
      const totals = totalsOf(servers)
      await terminal.result({ relays: servers, totals }, () =>
        [...servers.map(flagLine), totalsLine(totals)].join('\n'),
      )
    },
  )
}

interface Totals {
  readonly relays: number
  readonly enabled: number
  readonly backfill: number
  readonly negentropy: number
  readonly download: number
  readonly upload: number
}

function totalsOf(servers: readonly Server[]): Totals {
  const enabled = servers.filter((server) => server['enabled?'])
  return {
    relays: servers.length,
    enabled: enabled.length,
    backfill: enabled.filter(({ backfill }) => backfill).length,
    negentropy: enabled.filter(({ negentropy }) => negentropy).length,
    download: enabled.filter(({ direction }) => direction !== 'up').length,
    upload: enabled.filter(({ direction }) => direction !== 'down').length,
  }
}

function flagLine(server: Server): string {
  const { url, direction, mode, backfill, negentropy, filters, notes } = server
  const flags = [
    direction,
    mode,
    backfill ? 'backfill' : 'no backfill',
    ...(negentropy ? ['negentropy'] : []),
    filters.length === 1 ? '1 filter' : `${filters.length} filters`,
  ]
  return `${server['enabled?'] ? '[ON]' : '[--]'} ${url}  ${flags.join(', ')}${notes === null ? '' : `  ${notes}`}`
}

function totalsLine({ relays, enabled, backfill, negentropy, download, upload }: Totals): string {
  if (relays === 0) return 'No relays yet; add one with "syncline relay add".'
  return `${relays === 1 ? '1 relay' : `${relays} relays`}, ${enabled} enabled: ${download} download, ${upload} upload, ${backfill} with backfill, ${negentropy} by negentropy`
}
