import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { createSyncRouter, createSyncService, nodeListener } from '../../src/planes/rows/server/index.ts'
import { tableNames } from './tables.ts'

/** The server in a process of its own, as it would run. Argument: database URL. Prints its port. */
const pool = new pg.Pool({ connectionString: process.argv[2], max: 10 })
const service = createSyncService({
  pool,
  config: {
    registeredTables: tableNames.map((table) => ({ schema: 'synced', table, syncKeyColumns: ['id'] })),
  },
})
await service.bootstrap()
const handler = createSyncRouter(service, {
  authenticate: (request) => request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '',
})
const http = createServer(nodeListener(handler))
http.listen(0, '127.0.0.1', () => console.log((http.address() as AddressInfo).port))
