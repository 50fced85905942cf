import { readFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

interface SyncOptions extends CommonOptions {
  readonly db: string
  readonly url: string
  readonly user?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly schema?: string
  readonly tables?: readonly string[]
}

export function rowsClientCommand(terminal: Terminal): Command {
  const client = new Command('client').description(
    'a SQLite file of this machine, in step with a rows server',
  )
  client.addCommand(statusCommand(terminal))
  client.addCommand(syncCommand(terminal))
  return client
}

function statusCommand(terminal: Terminal): Command {
  return command('status', 'what a SQLite file holds and what it has not sent; nothing is changed', terminal)
    .requiredOption('--db <file>', 'the SQLite file')
    .action(async ({ db }: { readonly db: string }) => {
      const { rowsFileStatus } = await rowsFile()
      const status = rowsFileStatus(db)
      await terminal.result(status, () => {
        if (status.source === null) return 'This file was never synced.'
        const user = status.user === null ? 'Attached to nobody' : `Rows of ${status.user}`
        return [
          `${user}, schema ${status.schema}, bundle ${number(status.lastBundleSeqSeen)}; tables ${status.tables.join(', ')}.`,
          `${number(status.pendingRows)} rows to be sent.`,
          ...(status.rebuildRequired ? ['It must be rebuilt: "syncline rows client sync" does so.'] : []),
        ].join('\n')
      })
    })
}

function syncCommand(terminal: Terminal): Command {
  return command('sync', 'send what a SQLite file has, and fetch what others did', terminal)
    .requiredOption('--db <file>', 'the SQLite file; its tables must be there')
    .requiredOption('--url <url>', 'where /sync is served, such as http://127.0.0.1:7777')
    .option('--user <name>', 'whose rows (default: whose they were)')
    .option('--token-file <file>', 'the bearer token is in this file; - is standard input')
    .option('--token <token>', 'the bearer token; others on this machine may see it')
    .option('--schema <name>', "the server's schema (default: as at the first sync)")
    .option('--tables <names>', 'name or name:key, by commas (default: as at the first sync)', names)
    .action(async ({ token, tokenFile, ...options }: SyncOptions) => {
      const given = tokenFile === undefined ? token : await tokenIn(tokenFile)
      const { signal } = terminal
      const { syncRowsFile } = await rowsFile()
      const report = await syncRowsFile({
        ...options,
        token: given ?? '',
        signal,
        onProgress: ({ step, done, total }) =>
          terminal.progress(
            () => `${step}: ${number(done)}${total === undefined ? '' : ` of ${number(total)}`}`,
          ),
      })
      await terminal.result(report, () => {
        const { pushed, pulled, user, status } = report
        return `In step with ${options.url} as ${user}: sent ${pushed}, fetched ${pulled}, bundle ${number(status.lastBundleSeqSeen)}.`
      })
    })
}

/** The client of rows is a good part of the program, and no other command needs it: least of all a node that runs for months. */
const rowsFile = () => import('../node/rows/rows-file.ts')

const names = (text: string): readonly string[] => {
  const list = text.split(',').map((name) => name.trim())
  if (list.some((name) => !/^\w+(:\w+)?$/.test(name)))
    throw new InvalidArgumentError('write tables as users,posts or users:id,posts:id')
  return list
}

async function tokenIn(file: string): Promise<string> {
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')
  return text.trim()
}
