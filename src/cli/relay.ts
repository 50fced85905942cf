import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { parseSchedule } from '../jobs/schedule.ts'
import type { Direction } from '../kernel/link.ts'
import type { NodeControl } from '../node/control.ts'
import type { Server, SyncState } from '../node/sync-control.ts'
import type { Filter } from '../planes/events/filter.ts'
import { isRunning, openControl } from './open-control.ts'
import { type CommonOptions, command, directionOption, filterFrom } from './options.ts'
import { relayActions } from './relay-actions.ts'
import { relayBody } from './relay-body.ts'
import { relayImportCommand } from './relay-import.ts'
import { relayImportRouterCommand } from './relay-import-router.ts'
import { type ReportOptions, relayReport, relayRow } from './relay-report.ts'
import { namedRelay, type RelayView, relayViews } from './relay-view.ts'
import { settledRelay } from './settled.ts'
import type { Terminal } from './terminal.ts'

interface DefinitionOptions extends CommonOptions {
  readonly name?: string
  readonly dir?: Direction
  readonly filter?: Filter[]
  readonly live?: boolean
  readonly every?: string
  readonly enable?: boolean
  readonly disable?: boolean
  readonly caFile?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly tlsHostname?: string
  readonly pin?: string[]
  readonly tlsDefault?: boolean
}

export function relayCommand(terminal: Terminal): Command {
  const said = async (node: NodeControl, which: string) => {
    const [view] = await relayViews(node, which)
    if (view !== undefined) await terminal.result(view, () => textOf(node, view, relayReport).join('\n'))
  }
  const relay = new Command('relay').alias('peer').description('the relays this node keeps in step with')
  relay.addCommand(
    command('list', 'all configured relays', terminal).action(async (options: CommonOptions) => {
      await using node = await openControl(options)
      const relays = await relayViews(node)
      await terminal.result(relays, () =>
        relays.length === 0
          ? 'No relays yet; add one with "syncline relay add".'
          : relays.map((view) => textOf(node, view, relayRow)).join('\n'),
      )
    }),
  )
  relay.addCommand(
    command('show', 'one relay with its links', terminal)
      .argument('<url>')
      .action(async (url: string, options: CommonOptions) => {
        await using node = await openControl(options)
        await said(node, url)
      }),
  )
  relay.addCommand(
    definition(command('add', 'keep in step with a relay', terminal)).action(
      async (url: string, options: DefinitionOptions) => {
        await using node = await openControl(options)
        const body = relayBody(definitionFrom(url, options))
        const { id } = settledRelay(url, await node.sync.createRelay(body))
        await said(node, id)
      },
    ),
  )
  relay.addCommand(
    definition(command('set', 'change a relay; what is not named stays', terminal)).action(
      async (url: string, options: DefinitionOptions) => {
        await using node = await openControl(options)
        const body = relayBody(definitionFrom(url, options), await namedRelay(node, url))
        const { id } = settledRelay(url, await node.sync.updateRelay(url, body))
        await said(node, id)
      },
    ),
  )
  relay.addCommand(
    command('remove', 'forget a relay and how far its sync got; events stay', terminal)
      .argument('<url>')
      .action(async (url: string, options: CommonOptions) => {
        await using node = await openControl(options)
        settledRelay(url, await node.sync.removeRelay(url))
        await terminal.result({ removed: url }, () => `Removed ${url}.`)
      }),
  )
  for (const action of relayActions(terminal)) relay.addCommand(action)
  relay.addCommand(relayImportCommand(terminal))
  relay.addCommand(relayImportRouterCommand(terminal))
  return relay
}

const textOf = <T>(
  node: NodeControl,
  { states, ...server }: RelayView,
  text: (server: Server, states: readonly SyncState[], options: ReportOptions) => T,
): T => text(server, states, { now: Date.now(), running: isRunning(node) })

function definition(add: Command): Command {
  const collect = (text: string, previous: Filter[] = []) => [...previous, filterFrom(text)]
  const pins = (text: string, previous: string[] = []) => [...previous, text]
  // The node that reads the file may run in another folder.
  const absolute = (path: string) => resolve(path)
  return add
    .argument('<url>', 'ws:// or wss://')
    .option('--name <name>', 'what you call it')
    .addOption(directionOption(undefined))
    .option('--filter <json>', 'a NIP-01 filter; several make several links', collect)
    .option('--live', 'stay connected (the default without --every)')
    .option(
      '--every <schedule>',
      'sync again by schedule: 5m, 03:00, or five cron fields (UTC)',
      scheduleFrom,
    )
    .option('--enable', 'let it run')
    .option('--disable', 'keep it, but do not run it')
    .option('--ca-file <pem>', 'the only certificate authorities that count for it', absolute)
    .option('--client-cert <pem>', 'our certificate for it, with --client-key', absolute)
    .option('--client-key <pem>', 'the key of our certificate', absolute)
    .option('--tls-hostname <name>', 'the name its certificate carries, if not the host of the URL')
    .option('--pin <sha256>', 'base64 of the SHA-256 of a public key it must show; several allow any', pins)
    .option('--tls-default', 'drop its TLS settings')
}

function scheduleFrom(text: string): string {
  try {
    return parseSchedule(text).text
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

function definitionFrom(url: string, options: DefinitionOptions) {
  const { name, dir, filter, live, every, enable, disable } = options
  return {
    url,
    name,
    direction: dir,
    filters: filter,
    live: live ?? (every === undefined ? undefined : false),
    schedule: every,
    enabled: enable === true ? true : disable === true ? false : undefined,
    tls: tlsFrom(options),
  }
}

function tlsFrom({ caFile, clientCert, clientKey, tlsHostname, pin, tlsDefault }: DefinitionOptions) {
  const named = {
    ...(tlsHostname !== undefined && { hostname: tlsHostname }),
    ...(caFile !== undefined && { caCertFile: caFile }),
    ...(clientCert !== undefined && { clientCertFile: clientCert }),
    ...(clientKey !== undefined && { clientKeyFile: clientKey }),
    ...(pin !== undefined && { pins: pin }),
  }
  const some = Object.keys(named).length > 0
  if (tlsDefault !== true) return some ? named : undefined
  if (some) throw new InvalidArgumentError('--tls-default drops the TLS settings; give it without any')
  return null
}
