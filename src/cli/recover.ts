import type { Command } from 'commander'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

export function recoverCommand(terminal: Terminal): Command {
  return command(
    'recover',
    'free what a dead process left running, and try old errors again',
    terminal,
  ).action(async (options: CommonOptions) => {
    await using node = await openControl(options)
    const recovered = await node.sync.recover()
    const { recovered_stale: stale, retried_errors: errors } = recovered
    await terminal.result(
      recovered,
      () => `${stale} left running were freed, ${errors} errors are tried again.`,
    )
  })
}
