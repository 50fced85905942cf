import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { SyncError } from '../kernel/sync-error.ts'
import type { ServerEntry } from '../node/sync/server-directory.ts'
import type { DefinitionProfile } from '../planes/events/definition/server-definition.ts'
import { type FileEntry, parseServersFile } from '../planes/events/definition/servers-file.ts'
import { partlyFailed } from './failure.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

interface ImportOptions extends CommonOptions {
  readonly profile: DefinitionProfile
}

interface Report {
  readonly imported: ServerEntry[]
  /** By position in the file; `name` is the id or the URL, as far as there is one. */
  readonly refused: { readonly at: number; readonly name: string; readonly message: string }[]
}

export function relayImportCommand(terminal: Terminal): Command {
  return command('import', 'add or replace relays by definitions from a JSON file', terminal)
    .argument('<file>', 'one definition, a list of them, or the sync_servers.json of Parrhesia')
    .addOption(
      new Option('--profile <profile>', 'open: key and TLS settings may be missing')
        .choices(['strict', 'open'])
        .default('strict'),
    )
    .action(async (file: string, options: ImportOptions) => {
      const { entries } = parseServersFile(await readFile(file, 'utf8'))
      const { profile } = options
      const report: Report = { imported: [], refused: [] }
      await using node = await openControl(options)
      for (const [at, { input, cursor }] of entries.entries()) {
        try {
          report.imported.push(await node.putServer({ server: input, profile }))
        } catch (error) {
          // One bad definition must not keep the others out; any other failure would meet them all.
          if (!(error instanceof SyncError && error.code === 'config/invalid')) throw error
          report.refused.push({ at, name: nameOf(input), message: error.message })
          continue
        }
        if (cursor !== null) terminal.note(`${nameOf(input)}: ${cursorNote}`)
      }
      for (const { at, name, message } of report.refused)
        terminal.note(`definition ${at + 1} ${name}: ${message}`)
      await terminal.result(report, () => summary(report))
      if (report.refused.length > 0) terminal.exitCode = report.imported.length > 0 ? partlyFailed : 1
    })
}

const cursorNote = 'its cursor proves nothing about older events; the first run compares everything'

const summary = ({ imported, refused }: Report): string =>
  `${imported.length} imported, ${refused.length} refused`

function nameOf(input: FileEntry['input']): string {
  const { id, url } = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>
  return String(id ?? url ?? '')
}
