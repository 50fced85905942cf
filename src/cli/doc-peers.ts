import { type Command, InvalidArgumentError } from 'commander'
import type { AttemptView, PeerView } from '../node/documents/documents-control.ts'
import { count } from './doc-words.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface HistoryOptions extends CommonOptions {
  readonly peer?: string
  readonly limit: number
}

export function docPeerCommands(terminal: Terminal): Command[] {
  return [peersCommand(terminal), blockCommand(terminal), historyCommand(terminal)]
}

function peersCommand(terminal: Terminal): Command {
  return command('peers', 'nodes that databases are shared with', terminal).action(
    async (options: CommonOptions) => {
      await using node = await openControl(options)
      const peers = await node.documents.peers()
      await terminal.result(peers, () =>
        peers.length === 0 ? 'No peers yet.' : peers.map(peerLine).join('\n'),
      )
    },
  )
}

function blockCommand(terminal: Terminal): Command {
  return command('block', 'serve and dial a peer no more, whatever databases grant it', terminal)
    .argument('<key>', 'the peer, as "syncline doc peers" shows it')
    .action(async (key: string, options: CommonOptions) => {
      await using node = await openControl(options)
      await node.documents.removePeer(key)
      await terminal.result({ peer: key, blocked: true }, () => `Blocked ${key}.`)
    })
}

function historyCommand(terminal: Terminal): Command {
  return command('history', 'attempts of this node to sync, newest first', terminal)
    .argument('[database]', 'only of this one')
    .option('--peer <key>', 'only with this peer')
    .option('--limit <number>', 'at most so many', limitIn, 20)
    .action(async (database: string | undefined, { peer, limit, ...options }: HistoryOptions) => {
      await using node = await openControl(options)
      const attempts = await node.documents.history({ database, peer, limit })
      await terminal.result(attempts, () =>
        attempts.length === 0 ? 'Nothing was synced yet.' : attempts.map(attemptLine).join('\n'),
      )
    })
}

function peerLine({ key, name, addresses, databases }: PeerView): string {
  const where = addresses.length === 0 ? 'no address, it comes by itself' : addresses.join(', ')
  return `${key}  ${name ?? '(no name)'}  ${count(databases.length, 'database')}  ${where}`
}

function attemptLine({
  started_at,
  database,
  peer,
  error,
  received,
  sent,
  bytes,
  duration_ms,
}: AttemptView): string {
  const what = `${number(received)} received, ${number(sent)} sent, ${number(bytes)} bytes in ${number(duration_ms)} ms`
  return `${started_at}  ${database} with ${peer}: ${error ?? what}`
}

function limitIn(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1_000) return Number(text)
  throw new InvalidArgumentError('it is a whole number from 1 to 1000')
}
