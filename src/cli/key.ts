import { Command, InvalidArgumentError, Option } from 'commander'
import { type ApiKey, type KeyScope, keyScopes } from '../node/api-key.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

interface CreateOptions extends CommonOptions {
  readonly scope: readonly KeyScope[]
  readonly expires?: number
}

export function keyCommand(terminal: Terminal): Command {
  const key = new Command('key').description('the keys of the admin API')
  key.addCommand(
    command('create', 'make a key; its token is shown once and never again', terminal)
      .argument('[name]', 'what you call it', 'Admin Key')
      .addOption(
        new Option('--scope <scope...>', 'what it may do; each scope includes the ones before it')
          .choices(keyScopes)
          .default(['admin'], 'admin'),
      )
      .option('--expires <when>', 'a time like 2027-01-31T00:00:00Z, or from now: 12h, 30d', expiryFrom)
      .action(async (name: string, { scope, expires, ...options }: CreateOptions) => {
        await using node = await openControl(options)
        const created = await node.keys.create({ name, scopes: scope, expiresAt: expires })
        await terminal.result(created, () => created.token)
        terminal.note(`Key "${name}" (${created.scopes.join(', ')}). Keep it: it cannot be shown again.`)
      }),
  )
  key.addCommand(
    command('list', 'all keys, by the first characters of their tokens', terminal).action(
      async (options: CommonOptions) => {
        await using node = await openControl(options)
        const keys = await node.keys.list()
        await terminal.result(keys, () =>
          keys.length === 0
            ? 'No keys yet; make one with "syncline key create".'
            : keys.map((one) => keyLine(one, Date.now())).join('\n'),
        )
      },
    ),
  )
  key.addCommand(
    command('revoke', 'end a key at once', terminal)
      .argument('<key>', 'its id, or the first characters of its token if they mean one key only')
      .action(async (which: string, options: CommonOptions) => {
        await using node = await openControl(options)
        const revoked = await node.keys.revoke(which)
        await terminal.result(revoked, () => `Revoked "${revoked.name}" (${revoked.key_prefix}…).`)
      }),
  )
  return key
}

function keyLine({ key_prefix, name, scopes, revoked_at, expires_at, last_used_at }: ApiKey, now: number) {
  const expired = expires_at !== null && Date.parse(expires_at) <= now
  const state =
    revoked_at !== null
      ? `revoked ${revoked_at}`
      : expired
        ? `expired ${expires_at}`
        : expires_at === null
          ? 'active'
          : `active until ${expires_at}`
  return `${key_prefix}…  ${name}  ${scopes.join(', ')}  ${state}, last used ${last_used_at ?? 'never'}`
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

function expiryFrom(text: string): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? []
  const at = unit === undefined ? Date.parse(text) : Date.now() + Number(count) * unitMs[unit]!
  if (Number.isNaN(at)) throw new InvalidArgumentError('write a time as 2027-01-31T00:00:00Z, or 12h, 30d')
  if (at <= Date.now()) throw new InvalidArgumentError('that time is past')
  return at
}
