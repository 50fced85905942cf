import { type Command, InvalidArgumentError } from 'commander'
import { databaseArgument } from './doc.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

const pathText = 'components by dots, such as address.city; in a table, the key of a row'

export function docValueCommands(terminal: Terminal): Command[] {
  return [getCommand(terminal), setCommand(terminal), deleteCommand(terminal)]
}

function getCommand(terminal: Terminal): Command {
  return command('get', 'what is at a path of a store, as JSON; without a path, all of it', terminal)
    .argument(...databaseArgument)
    .argument('<store>', 'a store of the database')
    .argument('[path]', pathText)
    .action(async (database: string, store: string, path: string | undefined, options: CommonOptions) => {
      await using node = await openControl(options)
      const found = await node.documents.read({ database, store, ...(path !== undefined && { path }) })
      await terminal.result(found, () => JSON.stringify(found.value, undefined, 2))
    })
}

function setCommand(terminal: Terminal): Command {
  return command(
    'set',
    'write a value; an object is merged into one that is there; a store that is not there becomes a document',
    terminal,
  )
    .argument(...databaseArgument)
    .argument('<store>', 'a store of the database')
    .argument('<path>', pathText)
    .argument('<value>', 'JSON, such as \'"text"\', 3, true or \'{"a":[1,2]}\'; numbers are whole', jsonValue)
    .action(
      async (
        database: string,
        store: string,
        path: string,
        { value }: { readonly value: unknown },
        options: CommonOptions,
      ) => {
        await using node = await openControl(options)
        const written = await node.documents.write({ database, store, path, value })
        await terminal.result(written, () => written.entry)
      },
    )
}

function deleteCommand(terminal: Terminal): Command {
  return command('delete', 'delete what is at a path of a store', terminal)
    .argument(...databaseArgument)
    .argument('<store>', 'a store of the database')
    .argument('<path>', pathText)
    .action(async (database: string, store: string, path: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const written = await node.documents.remove({ database, store, path })
      await terminal.result(written, () => written.entry)
    })
}

/** In an object: a value of its own may be null, which would be no value. */
function jsonValue(text: string): { readonly value: unknown } {
  try {
    return { value: JSON.parse(text) }
  } catch {
    throw new InvalidArgumentError(`it is not JSON; a text is written '"like this"'`)
  }
}
