import { type Command, InvalidArgumentError } from 'commander'
import type { DocumentsProgress, JoinReport, SyncedLink } from '../node/documents/documents-control.ts'
import { databaseArgument } from './doc.ts'
import { count } from './doc-words.ts'
import { partlyFailed } from './failure.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface JoinOptions extends CommonOptions {
  readonly permission?: string
  readonly name?: string
  readonly message?: string
  readonly wait?: boolean
}

export function docShareCommands(terminal: Terminal): Command[] {
  return [
    ticketCommand(terminal),
    joinCommand(terminal),
    syncCommand(terminal),
    shareCommand(terminal),
    unshareCommand(terminal),
  ]
}

function ticketCommand(terminal: Terminal): Command {
  return command('ticket', 'share a database, and print where others can have it', terminal)
    .argument(...databaseArgument)
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const issued = await node.documents.ticket(which)
      await terminal.result(issued, () => issued.ticket)
      if (issued.local)
        terminal.note(
          'It is of use on this machine only: the node listens on no other address (--host, --public-urls).',
        )
    })
}

function joinCommand(terminal: Terminal): Command {
  return command('join', 'bring the database of a ticket here, and keep it in step', terminal)
    .argument('<ticket>', 'as "syncline doc ticket" printed it on the other node')
    .option('--permission <permission>', 'ask for read, write or admin, where it is not granted yet')
    .option('--name <name>', 'how to be called there')
    .option('--message <text>', 'for whoever decides')
    .option('--wait', 'until it is decided')
    .action(async (ticket: string, { permission, name, message, wait, ...options }: JoinOptions) => {
      if (permission === undefined && (name ?? message) !== undefined)
        throw new InvalidArgumentError(
          '--name and --message go with --permission: they are for who asks for access',
        )
      await using node = await openControl(options)
      const { signal } = terminal
      const onProgress = (progress: DocumentsProgress) => terminal.progress(() => progressText(progress))
      const report = await node.documents.join(
        { ticket, permission, name, message, wait },
        { signal, onProgress },
      )
      await terminal.result(report, () => joinText(report))
    })
}

function syncCommand(terminal: Terminal): Command {
  return command('sync', 'bring databases in step with their peers now', terminal)
    .argument('[database]', 'only this one (default: all that are shared)')
    .option('--peer <key>', 'only with this peer')
    .action(
      async (
        database: string | undefined,
        { peer, ...options }: CommonOptions & { readonly peer?: string },
      ) => {
        await using node = await openControl(options)
        const { signal } = terminal
        const onProgress = (progress: DocumentsProgress) => terminal.progress(() => progressText(progress))
        const links = await node.documents.sync({ database, peer }, { signal, onProgress })
        await terminal.result(links, () => links.map(linkLine).join('\n'))
        const failed = links.filter(({ outcome }) => outcome === 'failed').length
        if (failed > 0) terminal.exitCode = failed < links.length ? partlyFailed : 1
      },
    )
}

function shareCommand(terminal: Terminal): Command {
  return command(
    'share',
    'keep a database in step with peers, and let those have it whom it grants something',
    terminal,
  )
    .argument(...databaseArgument)
    .option(
      '--every <seconds>',
      'how often to look when nothing happens (default: documents.intervalSeconds)',
      secondsIn,
    )
    .action(async (which: string, { every, ...options }: CommonOptions & { readonly every?: number }) => {
      await using node = await openControl(options)
      const database = await node.documents.share({ database: which, everySeconds: every })
      await terminal.result(database, () => `Shared ${database.name ?? database.id}.`)
    })
}

function unshareCommand(terminal: Terminal): Command {
  return command('unshare', 'keep a database to this node; what others have of it they keep', terminal)
    .argument(...databaseArgument)
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      await node.documents.unshare(which)
      await terminal.result({ database: which, shared: false }, () => `${which} is not shared any more.`)
    })
}

function progressText({ step, entries }: DocumentsProgress): string {
  return step === 'syncing' ? `syncing: ${number(entries)} entries here` : `${step}…`
}

function joinText({ status, database, name, entries, permission, request, peer }: JoinReport): string {
  if (status === 'joined')
    return `Joined ${name ?? database} (${database}): ${count(entries, 'entry', 'entries')}, this node may: ${permission ?? 'nothing'}.`
  return [
    `Access to ${database} was asked for; somebody at ${peer} has to decide.`,
    `There: syncline doc approve ${request}. It comes here by itself after that; --wait waits for it.`,
  ].join('\n')
}

function linkLine({ database, name, peer, outcome, received, sent, error }: SyncedLink): string {
  const which = `${name ?? database} with ${peer}`
  if (outcome === 'not-dialable') return `${which}: no address is known; it comes by itself`
  if (outcome === 'failed') return `${which}: ${error?.message ?? 'failed'} [${error?.code ?? 'unknown'}]`
  return `${which}: in step; ${number(received)} received, ${number(sent)} sent`
}

function secondsIn(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 86_400) return Number(text)
  throw new InvalidArgumentError('it is a whole number of seconds from 1 to 86400')
}
