import { Command, InvalidArgumentError, Option } from 'commander'
import { EventError } from '../planes/events/event-error.ts'
import type { Filter } from '../planes/events/filter.ts'
import { parseFilter } from '../planes/events/filter-parser.ts'
import { defaultLimits } from '../planes/events/limits.ts'
import type { Terminal } from './terminal.ts'

export interface CommonOptions {
  readonly data?: string
  readonly config?: string
  readonly json?: boolean
}

/** A command with the options every command has. */
export function command(name: string, description: string, terminal: Terminal): Command {
  return new Command(name)
    .description(description)
    .option('--data <dir>', 'data directory (default ./syncline-data, or SYNCLINE_DATA)')
    .option('--config <file>', 'configuration file (YAML)')
    .option('--json', 'machine-readable result on stdout')
    .hook('preAction', (_, action) => {
      terminal.json = action.opts<CommonOptions>().json === true
    })
}

export function filterOption(description: string): Option {
  return new Option('--filter <json>', description).argParser(filterFrom).default({}, 'everything')
}

export function filterFrom(text: string): Filter {
  try {
    return parseFilter(JSON.parse(text), defaultLimits)
  } catch (error) {
    if (error instanceof EventError) throw new InvalidArgumentError(error.message)
    throw new InvalidArgumentError(`${text} is not JSON; write it like '{"kinds":[1]}'`)
  }
}

export const directionOption = (fallback: string | undefined): Option => {
  const option = new Option('--dir <direction>', 'which way events go').choices(['down', 'up', 'both'])
  return fallback === undefined ? option : option.default(fallback)
}
