import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { createSyncRouter, createSyncService, nodeListener } from '../../src/planes/rows/server/index.ts'
import { businessTables } from './rows-business.ts'

/** A rows server as a process of its own, to be killed. Arguments: database URL, port, bundles retained, `watch`. Prints its port. */
const [databaseUrl, port, retained, watch] = process.argv.slice(2)
const watching = watch === 'watch'
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
pool.on('error', () => {})
const service = createSyncService({
  pool,
  config: {
    registeredTables: businessTables,
    retainedBundlesPerUser: Number(retained),
    retentionPruneBatchSize: 100,
    bundleChangeWatch: { enabled: watching },
  },
})
await service.bootstrap()
if (watching) void service.runBundleChangeListener({ signal: new AbortController().signal })
const handler = createSyncRouter(service, {
  authenticate: (request) => request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '',
})
const http = createServer(nodeListener(handler))
http.listen(Number(port), '127.0.0.1', () => console.log((http.address() as AddressInfo).port))
