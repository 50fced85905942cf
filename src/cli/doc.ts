import { Command } from 'commander'
import { docAccessCommands } from './doc-access.ts'
import { docDatabaseCommands } from './doc-database.ts'
import { docPeerCommands } from './doc-peers.ts'
import { docShareCommands } from './doc-share.ts'
import { docValueCommands } from './doc-values.ts'
import type { Terminal } from './terminal.ts'

export function docCommand(terminal: Terminal): Command {
  const doc = new Command('doc').description('databases of signed documents, shared with other nodes')
  const groups = [docDatabaseCommands, docValueCommands, docShareCommands, docAccessCommands, docPeerCommands]
  for (const group of groups) for (const one of group(terminal)) doc.addCommand(one)
  return doc
}

/** How a database is named on a command line. */
export const databaseArgument = ['<database>', 'its name, or its id where several have the name'] as const
