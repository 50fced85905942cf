import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { settings } from '../config/setting.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

export function configCommand(terminal: Terminal): Command {
  return command('config', 'show every setting as it applies now, and how to change it', terminal).action(
    async (options: CommonOptions) => {
      const { env } = process
      const config = await loadConfig({ file: options.config, flags: { data: options.data }, env })
      const current = (path: readonly string[]): unknown =>
        path.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], config)
      await terminal.result(config, () =>
        settings
          .map(
            ({ key, path, env: variable }) =>
              `${key.padEnd(28)} ${JSON.stringify(current(path)) ?? '-'}  (${variable})`,
          )
          .join('\n'),
      )
    },
  )
}
