import type { Argument, Command, Option } from 'commander'

/** The text of docs/reference/cli.md. A test compares the two, so the page cannot lag behind the commands. */
export function cliReference(program: Command): string {
  const commands = leaves(program, 'syncline')
  return `# Command line

<!-- Generated from src/cli. After a change there: UPDATE_REFERENCE=1 npm test -->

A command works on the data directory: through the running node where there is one, else it opens the directory itself.

| Option of every command | |
|---|---|
${shared.map(([flags, text]) => `| \`${flags}\` | ${text} |`).join('\n')}

## Exit codes

| Code | Means |
|---|---|
| 0 | done |
| 1 | failed; standard error says why, with a [code](errors.md) |
| 2 | wrong usage; nothing was done |
| 3 | failed in part: of several things asked for, some were done |
| 4 | failed because a relay or another peer could not be reached, or cannot do what was asked for |

A script that only tests for 0 needs to know nothing of 3 and 4.

## Commands

${commands.map(([name, command]) => `- [\`${name}\`](#${anchor(name)}) ${command.description()}`).join('\n')}

${commands.map(([name, command]) => section(name, command)).join('\n')}`
}

const shared: readonly (readonly [string, string])[] = [
  ['--data <dir>', 'data directory (default `./syncline-data`, or `SYNCLINE_DATA`)'],
  ['--config <file>', 'configuration file (YAML), see [Configuration](configuration.md)'],
  ['--json', 'the result as one line of JSON on standard output'],
  ['--help', 'what is possible'],
]

const sharedNames: ReadonlySet<string | undefined> = new Set(['--data', '--config', '--json'])

function leaves(command: Command, path: string): (readonly [string, Command])[] {
  return command.commands.flatMap((child) => {
    const name = `${path} ${child.name()}`
    return child.commands.length === 0 ? [[name, child] as const] : leaves(child, name)
  })
}

function section(name: string, command: Command): string {
  const usage = [name, ...command.registeredArguments.map(argumentText)].join(' ')
  const options = command.options.filter(({ long }) => !sharedNames.has(long ?? undefined))
  const settings = name === 'syncline up'
  return `### ${name}

\`${usage}${options.length > 0 ? ' [options]' : ''}\`

${sentence(command.description())}
${list(command.registeredArguments.filter(({ description }) => description !== '').map(argumentLine))}${
  settings
    ? '\nIts options are the settings, see [Configuration](configuration.md).\n'
    : list(options.map(optionLine))
}`
}

const list = (lines: readonly string[]): string => (lines.length === 0 ? '' : `\n${lines.join('\n')}\n`)

function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

const argumentLine = (argument: Argument): string =>
  `- \`${argument.name()}\`: ${argument.description}${fallback(argument.defaultValue, argument.defaultValueDescription)}`

function optionLine(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`
  return `- \`${option.flags}\`: ${option.description}${choices}${fallback(option.defaultValue, option.defaultValueDescription)}`
}

function fallback(value: unknown, words: string | undefined): string {
  if (value === undefined) return ''
  return `; default ${words ?? `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``}`
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
const anchor = (name: string): string => name.replaceAll(' ', '-')
