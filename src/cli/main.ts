import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { version } from '../node/package-file.ts'
import { aclCommand } from './acl.ts'
import { configCommand } from './config.ts'
import { demoCommand } from './demo.ts'
import { docCommand } from './doc.ts'
import { exportCommand } from './export.ts'
import { exitCodeOf, explain } from './failure.ts'
import { identityCommand } from './identity.ts'
import { importCommand } from './import.ts'
import { keyCommand } from './key.ts'
import { queryCommand } from './query.ts'
import { recoverCommand } from './recover.ts'
import { relayCommand } from './relay.ts'
import { relaysCommand } from './relays.ts'
import { resetCommand } from './reset.ts'
import { rowsCommand } from './rows.ts'
import { statusCommand } from './status.ts'
import { syncCommand } from './sync.ts'
import { type Streams, Terminal } from './terminal.ts'
import { triggerCommand } from './trigger.ts'
import { upCommand } from './up.ts'

/** Runs one command line. Answers its exit code, see docs/reference/cli.md. */
export async function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  using terminal = new Terminal(streams)
  const program = createProgram(terminal)
  const output = {
    writeOut: (text: string) => void streams.stdout.write(text),
    writeErr: (text: string) => void streams.stderr.write(text),
  }
  everyCommand(program, (command) => command.configureOutput(output))
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return terminal.exitCode
  } catch (error) {
    // Thrown by a command about how its options go together; what parsing finds was told already.
    if (error instanceof InvalidArgumentError) terminal.fail({ code: 'usage', message: error.message })
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    terminal.fail(explain(error))
    return exitCodeOf(error)
  }
}

/** Every command, ready to be parsed or described. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('syncline')
    .description('Keeps data in step between machines.')
    .version(version)
    .showHelpAfterError('(add --help for what is possible)')
  const commands = [
    upCommand,
    syncCommand,
    importCommand,
    exportCommand,
    queryCommand,
    statusCommand,
    triggerCommand,
    recoverCommand,
    resetCommand,
    relaysCommand,
    configCommand,
    relayCommand,
    keyCommand,
    aclCommand,
    docCommand,
    rowsCommand,
    identityCommand,
    demoCommand,
  ]
  for (const command of commands) program.addCommand(command(terminal))
  everyCommand(program, (command) => command.exitOverride())
  return program
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command)
  for (const child of command.commands) everyCommand(child, apply)
}
