import { Command, InvalidArgumentError, Option } from 'commander'
import { SyncError } from '../kernel/sync-error.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

type Capability = 'sync_read' | 'sync_write'

const capabilities: readonly Capability[] = ['sync_read', 'sync_write']

interface GrantOptions extends CommonOptions {
  readonly filter: unknown
}

export function aclCommand(terminal: Terminal): Command {
  const acl = new Command('acl').description('who may read and write what policy.protectedFilters selects')
  const grantOf = (principal: string, capability: string, { filter }: GrantOptions) => ({
    principal_type: 'pubkey',
    principal,
    capability,
    match: filter,
  })
  acl.addCommand(
    grant(command('grant', 'let a public key read or write what a filter selects', terminal)).action(
      async (principal: string, capability: Capability, options: GrantOptions) => {
        await using node = await openControl(options)
        const granted = await node.acl.grant(grantOf(principal, capability, options))
        await terminal.result(granted, () => `${granted.principal} has ${granted.capability}.`)
      },
    ),
  )
  acl.addCommand(
    grant(command('revoke', 'take such a grant back', terminal)).action(
      async (principal: string, capability: Capability, options: GrantOptions) => {
        await using node = await openControl(options)
        if (!(await node.acl.revoke(grantOf(principal, capability, options))))
          throw new SyncError('config/invalid', 'there is no such grant; "syncline acl list" shows all')
        await terminal.result({ revoked: principal }, () => `Revoked.`)
      },
    ),
  )
  acl.addCommand(
    command('list', 'all grants', terminal)
      .option('--principal <pubkey>', 'only those of this public key')
      .addOption(new Option('--capability <capability>', 'only these').choices(capabilities))
      .action(
        async (
          options: CommonOptions & { readonly principal?: string; readonly capability?: Capability },
        ) => {
          const { principal, capability } = options
          await using node = await openControl(options)
          const grants = await node.acl.list({
            ...(principal !== undefined && { principal }),
            ...(capability !== undefined && { capability }),
          })
          await terminal.result(grants, () =>
            grants.length === 0
              ? 'No grants.'
              : grants
                  .map((one) => `${one.principal}  ${one.capability}  ${JSON.stringify(one.match)}`)
                  .join('\n'),
          )
        },
      ),
  )
  return acl
}

function grant(add: Command): Command {
  return add
    .argument('<pubkey>', '64 hex digits')
    .argument('<capability>', capabilities.join(' or '), oneOf(capabilities))
    .option('--filter <json>', 'a NIP-01 filter; default: everything that is protected', json, {})
}

const oneOf =
  (choices: readonly string[]) =>
  (text: string): string => {
    if (choices.includes(text)) return text
    throw new InvalidArgumentError(`allowed are ${choices.join(', ')}`)
  }

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`${text} is not JSON; write it like '{"kinds":[1]}'`)
  }
}
