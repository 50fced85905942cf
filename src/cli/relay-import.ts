import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import type { ImportedServers } from '../node/sync-control.ts'
import type { DefinitionProfile } from '../planes/events/definition/server-definition.ts'
import { partlyFailed } from './failure.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { settled } from './settled.ts'
import type { Terminal } from './terminal.ts'

interface ImportOptions extends CommonOptions {
  readonly profile: DefinitionProfile
}

export function relayImportCommand(terminal: Terminal): Command {
  return command('import', 'add or replace relays by definitions from a JSON file', terminal)
    .argument(
      '<file>',
      'one definition, a list of them, the sync_servers.json of Parrhesia, or what "relay export" wrote',
    )
    .addOption(
      new Option('--profile <profile>', 'open: key and TLS settings may be missing')
        .choices(['strict', 'open'])
        .default('strict'),
    )
    .action(async (file: string, options: ImportOptions) => {
      const text = await readFile(file, 'utf8')
      await using node = await openControl(options)
      const report = settled(await node.sync.importServers(text, { profile: options.profile }))
      for (const { at, name, message } of report.refused)
        terminal.note(`definition ${at + 1} ${name}: ${message}`)
      await terminal.result(report, () => summary(report))
      if (report.refused.length > 0) terminal.exitCode = report.imported.length > 0 ? partlyFailed : 1
    })
}

function summary({ imported, refused, restored }: ImportedServers): string {
  const progress = restored === 0 ? '' : `, ${restored} of them with how far they were`
  return `${imported.length} imported${progress}, ${refused.length} refused`
}
