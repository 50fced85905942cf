import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { RowsClient } from '../../src/planes/rows/client/index.ts'
import { nodeDriver } from '../../src/planes/rows/client/node-driver.sqlite.ts'
import { sqliteTables, tableNames } from '../rows/tables.ts'

/** A client that attaches to a scope full of rows. Arguments: file, server. Prints what it took, as JSON. */
const [file, url] = process.argv.slice(2)
const db = new DatabaseSync(file!)
db.exec(sqliteTables())
const client = new RowsClient({
  db: nodeDriver(db),
  baseUrl: url!,
  token: () => 'ada',
  schema: 'synced',
  tables: tableNames.map((tableName) => ({ tableName, syncKeyColumnName: 'id' })),
  snapshotChunkRows: 1_000,
  sha256: () => createHash('sha256'),
})
await client.open()
const started = performance.now()
let [createdAt, downloadedAt] = [0, started]
const result = await client.attach('ada', {
  onProgress: ({ step }) => {
    if (step !== 'downloading-snapshot') return
    createdAt ||= performance.now()
    downloadedAt = performance.now()
  },
})
const ended = performance.now()
if (result.status !== 'connected') throw new Error(result.status)
console.log(
  JSON.stringify({
    rows: result.restore?.rowCount,
    // Until the first chunk: above all the server freezing the rows.
    createSeconds: Number(((createdAt - started) / 1_000).toFixed(1)),
    downloadSeconds: Number(((downloadedAt - createdAt) / 1_000).toFixed(1)),
    applySeconds: Number(((ended - downloadedAt) / 1_000).toFixed(1)),
    clientPeakMb: Math.round(process.resourceUsage().maxRSS / 1_024),
    sums: tableNames
      .map((name) => db.prepare(`SELECT count(*) || ':' || sum(amount) AS sum FROM ${name}`).get()!.sum)
      .join(' '),
  }),
)
client.close()
db.close()
