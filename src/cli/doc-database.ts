import type { Command } from 'commander'
import { databaseArgument } from './doc.ts'
import { databaseRow, databaseText } from './doc-words.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

export function docDatabaseCommands(terminal: Terminal): Command[] {
  return [createCommand(terminal), listCommand(terminal), showCommand(terminal)]
}

function createCommand(terminal: Terminal): Command {
  return command('create', 'make a database that this node owns; nobody else sees it yet', terminal)
    .argument('<name>', 'what it is called, for people')
    .action(async (name: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const database = await node.documents.create({ name })
      await terminal.result(database, () => database.id)
    })
}

function listCommand(terminal: Terminal): Command {
  return command('list', 'every database that is here, or was joined', terminal).action(
    async (options: CommonOptions) => {
      await using node = await openControl(options)
      const databases = await node.documents.list()
      await terminal.result(databases, () =>
        databases.length === 0
          ? 'No databases yet; make one with "syncline doc create", or join one with "syncline doc join".'
          : databases.map(databaseRow).join('\n'),
      )
    },
  )
}

function showCommand(terminal: Terminal): Command {
  return command('show', 'one database: its stores, who may do what, how it is with its peers', terminal)
    .argument(...databaseArgument)
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const database = await node.documents.show(which)
      await terminal.result(database, () => databaseText(database, Date.now()))
    })
}
