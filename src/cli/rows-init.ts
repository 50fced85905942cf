import { access, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { surveyRows } from '../node/rows/rows-survey.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

interface InitOptions extends CommonOptions {
  readonly out: string
  readonly databaseUrl?: string
  readonly databaseSchema?: string
  readonly force?: boolean
}

export function rowsInitCommand(terminal: Terminal): Command {
  return command('init', 'write a commented schema file from the tables of a database', terminal)
    .option('--out <file>', 'where to', 'schema.json')
    .option('--database-url <url>', 'the database (default: as the configuration says)')
    .option('--database-schema <name>', 'only tables of this schema of the database')
    .option('--force', 'replace a file that is there')
    .action(async ({ out, databaseSchema, force, ...options }: InitOptions) => {
      const flags = { data: options.data, databaseUrl: options.databaseUrl }
      const config = await loadConfig({ file: options.config, flags, env: process.env })
      if (force !== true && (await isThere(out)))
        throw new SyncError('config/invalid', `${out} is there already; --force replaces it`)
      const { text, tables } = await surveyRows(config, databaseSchema)
      await writeFile(out, text)
      const fit = tables.filter(({ problem }) => problem === undefined)
      await terminal.result({ file: out, tables }, () =>
        [
          `Wrote ${out}: ${fit.length} of ${tables.length} tables can be synced as they are.`,
          ...tables.flatMap(({ schema, table, problem }) =>
            problem === undefined ? [] : [`  ${schema}.${table}: ${problem}`],
          ),
        ].join('\n'),
      )
    })
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
