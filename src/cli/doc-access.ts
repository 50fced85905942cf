import { type Command, Option } from 'commander'
import type { AccessRequestView, RequestStatus } from '../node/documents/documents-control.ts'
import { databaseArgument } from './doc.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'
import { ago } from './time-words.ts'

interface StatusOptions extends CommonOptions {
  readonly status: RequestStatus | 'all'
}

export function docAccessCommands(terminal: Terminal): Command[] {
  return [
    requestsCommand(terminal),
    approveCommand(terminal),
    rejectCommand(terminal),
    grantCommand(terminal),
    revokeCommand(terminal),
  ]
}

function requestsCommand(terminal: Terminal): Command {
  const statuses = ['pending', 'approved', 'rejected', 'all']
  return command('requests', 'who asks to be let into databases of this node, oldest first', terminal)
    .addOption(new Option('--status <status>', 'only these').choices(statuses).default('pending'))
    .action(async ({ status, ...options }: StatusOptions) => {
      await using node = await openControl(options)
      const requests = await node.documents.requests(status === 'all' ? undefined : status)
      await terminal.result(requests, () =>
        requests.length === 0
          ? 'Nobody asks.'
          : requests.map((one) => requestLine(one, Date.now())).join('\n'),
      )
    })
}

function approveCommand(terminal: Terminal): Command {
  return command('approve', 'let somebody in', terminal)
    .argument('<request>', 'its number, as "syncline doc requests" shows it')
    .option('--permission <permission>', 'read, write or admin (default: what was asked for)')
    .action(
      async (
        request: string,
        { permission, ...options }: CommonOptions & { readonly permission?: string },
      ) => {
        await using node = await openControl(options)
        const decided = await node.documents.approve({ request, permission })
        await terminal.result(decided, () => `${decided.name} may ${decided.granted} in ${nameOf(decided)}.`)
      },
    )
}

function rejectCommand(terminal: Terminal): Command {
  return command('reject', 'refuse a request for access', terminal)
    .argument('<request>', 'its number, as "syncline doc requests" shows it')
    .action(async (request: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const decided = await node.documents.reject(request)
      await terminal.result(decided, () => `Refused ${decided.name} for ${nameOf(decided)}.`)
    })
}

const keyArgument = ['<key>', 'ed25519:…, or everybody'] as const

function grantCommand(terminal: Terminal): Command {
  return command('grant', 'let a key into a database without being asked', terminal)
    .argument(...databaseArgument)
    .argument(...keyArgument)
    .argument('<permission>', 'read, write or admin; a smaller number is stronger: write:5')
    .option('--name <name>', 'what the key is called')
    .action(
      async (
        database: string,
        key: string,
        permission: string,
        { name, ...options }: CommonOptions & { readonly name?: string },
      ) => {
        await using node = await openControl(options)
        const detail = await node.documents.grant({ database, key, permission, name })
        await terminal.result(detail, () => `${key} may ${permission} in ${detail.name ?? detail.id}.`)
      },
    )
}

function revokeCommand(terminal: Terminal): Command {
  return command('revoke', 'take back what a key was granted; what it wrote stays', terminal)
    .argument(...databaseArgument)
    .argument(...keyArgument)
    .action(async (database: string, key: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const detail = await node.documents.revoke({ database, key })
      await terminal.result(detail, () => `${key} may nothing more in ${detail.name ?? detail.id}.`)
    })
}

function requestLine(request: AccessRequestView, now: number): string {
  const { id, name, permission, key, message, status, asked_at, granted } = request
  const outcome =
    status === 'approved' ? `, approved as ${granted}` : status === 'rejected' ? ', rejected' : ''
  const said = message === null ? '' : `: ${JSON.stringify(message)}`
  return `${id}  ${JSON.stringify(name)} (${key}) asked for ${permission} in ${nameOf(request)} ${ago(Date.parse(asked_at), now)}${outcome}${said}`
}

const nameOf = ({ database, database_name }: AccessRequestView): string => database_name ?? database
