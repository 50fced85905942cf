import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import type { IdentityView } from '../node/identity.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

export function identityCommand(terminal: Terminal): Command {
  const identity = new Command('identity').description("the node's own key: it signs in at relays")
  const text = ({ pubkey, source }: IdentityView) => `${pubkey} (${source})`
  identity.addCommand(
    command('show', 'the public key, and where the key comes from', terminal).action(
      async (options: CommonOptions) => {
        await using node = await openControl(options)
        const view = await node.identityControl.show()
        await terminal.result(view, () => text(view))
      },
    ),
  )
  identity.addCommand(
    command('import', 'take a key that exists already; the present one is gone', terminal)
      // Not as an argument: every process of the machine could read it there.
      .argument('<file>', 'a file with 64 hex digits or nsec1…; - reads standard input')
      .action(async (file: string, options: CommonOptions) => {
        const secret = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')
        await using node = await openControl(options)
        const view = await node.identityControl.import(secret.trim())
        await terminal.result(view, () => text(view))
      }),
  )
  identity.addCommand(
    command('rotate', 'make a new key; the present one is gone', terminal)
      .option('--yes', 'do not ask')
      .action(async (options: CommonOptions & { readonly yes?: boolean }) => {
        await using node = await openControl(options)
        const { pubkey } = await node.identityControl.show()
        if (options.yes !== true) {
          const answer = await terminal.ask(`Replace the key of ${pubkey}? Relays will know another. [y/N] `)
          if (!/^y(es)?$/i.test(answer.trim()))
            return terminal.result({ pubkey }, () => 'Nothing was changed.')
        }
        const view = await node.identityControl.rotate()
        await terminal.result(view, () => text(view))
      }),
  )
  return identity
}
