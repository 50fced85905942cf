import { resolve } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../kernel/clock.ts'
import { silentLogger } from '../../kernel/logger.ts'
import type { SurveyedTable } from '../../planes/rows/server/table-survey.postgres.ts'
import { openRowsDatabase } from './rows-database.ts'

export interface RowsSurvey {
  /** A schema file, with what cannot be synced as comments that say why. */
  readonly text: string
  readonly tables: readonly SurveyedTable[]
}

/** Looks at a database, and writes down what a node could serve of it. Beside a running node, it leaves the database to that. */
export async function surveyRows(config: Config, schema: string | undefined): Promise<RowsSurvey> {
  await using database = await openRowsDatabase({
    databaseUrl: config.databaseUrl,
    directory: resolve(config.data),
    clock: systemClock,
    log: silentLogger,
    stopAdopted: false,
  })
  const { surveyTables } = await import('../../planes/rows/server/table-survey.postgres.ts')
  const tables = await surveyTables(database.pool, schema)
  return { text: schemaText(tables), tables }
}

function schemaText(tables: readonly SurveyedTable[]): string {
  const lines = tables.flatMap(({ schema, table, key, problem }) => {
    const entry = `    ${JSON.stringify({ schema, table, key }).replaceAll(/([:,])"/g, '$1 "')},`
    // A message may quote names, and a name may hold a line break.
    if (problem === undefined) return [entry]
    return [`    # ${problem.replaceAll(/\s+/g, ' ')}`, `    # ${entry.trim()}`]
  })
  return `# Tables that a node serves to SQLite clients: syncline up --rows schema.json --rows-auth key
# JSON in which # begins a comment. What a table needs is said in docs/guide/rows.md.
{
  # Told to clients.
  "appName": "",
  "schemaVersion": 0,

  # A file of SQL beside this one, run at each start before the tables are looked at.
  # "setup": "setup.sql",

  # The key is the column that names a row within its user; every table also has _sync_scope_id.
  "tables": [
${lines.join('\n')}
  ],

  # Whether clients may wait for news instead of only asking now and then.
  "watch": true,

  # Drop pushed values for columns that a table does not have, instead of refusing them.
  "ignoreUnknownColumns": false,

  "limits": {
    # Bundles of history that each user keeps; a device that was away for longer gets a snapshot.
    "retainedBundlesPerUser": 10000,
    "maxRequestBytes": 67108864,
    "maxRowsPerPushChunk": 5000,
  },
}
`
}
