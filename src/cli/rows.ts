import { Command, InvalidArgumentError } from 'commander'
import { loadConfig } from '../config/load.ts'
import type { ScopeDetail, ScopeSummary } from '../node/rows/rows-control.ts'
import { addRowsKey, removeRowsKeys, rowsKeysFile } from '../node/rows/rows-keys.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import { rowsClientCommand } from './rows-client.ts'
import { rowsInitCommand } from './rows-init.ts'
import type { Terminal } from './terminal.ts'

interface RowsOptions extends CommonOptions {
  readonly rows?: string
  readonly databaseUrl?: string
}

interface PruneOptions extends RowsOptions {
  readonly keep?: number
  readonly user?: string
}

const usersAtOnce = 500

export function rowsCommand(terminal: Terminal): Command {
  const rows = new Command('rows').description('rows of PostgreSQL for SQLite clients')
  rows.addCommand(rowsInitCommand(terminal))
  rows.addCommand(keyCommand(terminal))
  rows.addCommand(scopesCommand(terminal))
  const scope = new Command('scope').description('what the rows server keeps of one user')
  scope.addCommand(scopeShowCommand(terminal))
  rows.addCommand(scope)
  rows.addCommand(pruneCommand(terminal))
  rows.addCommand(rowsClientCommand(terminal))
  return rows
}

function keyCommand(terminal: Terminal): Command {
  return command('key', 'make a key for a user of rows.auth: key; it is shown once and never again', terminal)
    .argument('<user>', 'whose rows it opens')
    .option('--revoke', 'take all keys of the user away instead')
    .action(async (user: string, { revoke, ...options }: CommonOptions & { readonly revoke?: boolean }) => {
      const config = await loadConfig({
        file: options.config,
        flags: { data: options.data },
        env: process.env,
      })
      const file = rowsKeysFile(config, config.data)
      if (user.trim() === '') throw new InvalidArgumentError('a user has a name')
      if (revoke === true) {
        const revoked = await removeRowsKeys(file, user.trim())
        await terminal.result({ user: user.trim(), revoked }, () => `Revoked ${revoked} keys of ${user}.`)
        return
      }
      const token = await addRowsKey(file, user.trim())
      await terminal.result({ user: user.trim(), token }, () => token)
      terminal.note(`Key for the rows of ${user.trim()}. Keep it: it cannot be shown again.`)
    })
}

/** What a command that may have to open the database itself must know; a running node knows it already. */
const withDatabase = (target: Command): Command =>
  target
    .option('--rows <file>', 'the schema file, where no node runs and the configuration names none')
    .option('--database-url <url>', 'the database, where no node runs and the configuration names none')

function scopesCommand(terminal: Terminal): Command {
  return withDatabase(
    command('scopes', 'every user the rows server knows, and how far each is', terminal),
  ).action(async (options: RowsOptions) => {
    await using node = await openControl(options)
    const all: ScopeSummary[] = []
    for (;;) {
      const page = await node.rows.scopes({ after: all.at(-1)?.user ?? '', limit: usersAtOnce })
      all.push(...page)
      if (page.length < usersAtOnce) break
    }
    await terminal.result(all, () =>
      all.length === 0 ? 'No device ever connected.' : all.map(scopeLine).join('\n'),
    )
  })
}

function scopeShowCommand(terminal: Terminal): Command {
  return withDatabase(command('show', 'one user: tables, devices, history', terminal))
    .argument('<user>', 'by name, as the authenticator says it')
    .action(async (user: string, options: RowsOptions) => {
      await using node = await openControl(options)
      const scope = await node.rows.scope(user)
      await terminal.result(scope, () => scopeText(scope))
    })
}

function pruneCommand(terminal: Terminal): Command {
  return withDatabase(
    command('prune', 'delete history beyond what each user keeps, and expired sessions, now', terminal),
  )
    .option('--keep <bundles>', 'bundles each user keeps (default: as the schema file says)', bundleCount)
    .option('--user <name>', 'only this user')
    .action(async ({ keep, user, ...options }: PruneOptions) => {
      await using node = await openControl(options)
      const report = await node.rows.prune({ keep, user })
      await terminal.result(
        report,
        () =>
          `Deleted ${number(report.bundles)} bundles of ${number(report.users)} users, ${number(report.pushSessions + report.snapshotSessions)} expired sessions.`,
      )
    })
}

function bundleCount(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('it is a whole number from 0')
  return Number(text)
}

function scopeLine({ user, state, latestBundle, retainedFloor, sources }: ScopeSummary): string {
  const kept = number(latestBundle - retainedFloor)
  return `${user}  ${state}, bundle ${number(latestBundle)}, ${kept} kept, ${number(sources)} sources`
}

function scopeText(scope: ScopeDetail): string {
  const { initializedAt, initializedBy, lease, tables, sourceList } = scope
  return [
    scopeLine(scope),
    ...(initializedAt === null ? [] : [`initialized ${initializedAt} by ${initializedBy}`]),
    ...(lease === null ? [] : [`${lease.source} may send the first rows until ${lease.until}`]),
    ...tables.map(({ table, rows }) => `table ${table}: ${number(rows)} rows`),
    ...sourceList.map(
      ({ source, state, lastBundle, replacedBy }) =>
        `source ${source}: ${state}, its bundle ${number(lastBundle)}${replacedBy === null ? '' : `, replaced by ${replacedBy}`}`,
    ),
  ].join('\n')
}
