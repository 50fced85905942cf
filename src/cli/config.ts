import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { settings } from '../config/setting.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

const hidden = '(given, not shown)'

export function configCommand(terminal: Terminal): Command {
  return command('config', 'show every setting as it applies now, and how to change it', terminal).action(
    async (options: CommonOptions) => {
      const { env } = process
      const config = await loadConfig({ file: options.config, flags: { data: options.data }, env })
      const current = (path: readonly string[]): unknown =>
        path.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], config)
      // It may hold a password, and this is what people send along when they ask for help.
      const { databaseUrl, ...shown } = config
      await terminal.result({ ...shown, ...(databaseUrl !== undefined && { databaseUrl: hidden }) }, () =>
        settings
          .map(({ key, path, env: variable, secret }) => {
            const value = current(path)
            const text = secret === true && value !== undefined ? hidden : (JSON.stringify(value) ?? '-')
            return `${key.padEnd(28)} ${text}  (${variable})`
          })
          .join('\n'),
      )
    },
  )
}
