import { Command, CommanderError } from 'commander'
import { version } from '../node/package-file.ts'
import { configCommand } from './config.ts'
import { demoCommand } from './demo.ts'
import { exportCommand } from './export.ts'
import { explain, UsageError } from './failure.ts'
import { importCommand } from './import.ts'
import { keyCommand } from './key.ts'
import { queryCommand } from './query.ts'
import { relayCommand } from './relay.ts'
import { resetCommand } from './reset.ts'
import { statusCommand } from './status.ts'
import { syncCommand } from './sync.ts'
import { Terminal } from './terminal.ts'
import { upCommand } from './up.ts'

/** Runs one command line. Answers the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  using terminal = new Terminal(process.stdout, process.stderr)
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
    resetCommand,
    configCommand,
    relayCommand,
    keyCommand,
    demoCommand,
  ]
  for (const command of commands) program.addCommand(command(terminal))
  everyCommand(program, (command) => command.exitOverride())
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return terminal.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    terminal.fail(explain(error))
    return error instanceof UsageError ? 2 : 1
  }
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command)
  for (const child of command.commands) everyCommand(child, apply)
}
