import { createInlineSignatureVerifier } from '../../src/planes/documents/ingest/signature-verifier.ts'
import { Instance } from '../../src/planes/documents/instance.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { Sync } from '../../src/planes/documents/sync/sync.ts'
import { formatTicket } from '../../src/planes/documents/sync/ticket.ts'
import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { alice } from './document-keys.ts'
import { put } from './document-world.ts'

/**
 * A node of its own, to be killed: serves a database of Alice from a folder over HTTP. Tells its parent the ticket, then,
 * if asked to, of every value it has written, once that is durable.
 *
 *     node document-peer-process.ts FOLDER writes|rests
 */
const [, , dir, mode] = process.argv
const store = await createSqliteStore({ dir: dir! })
const storage = await createSqliteDocumentStorage({ store })
const instance = (await Instance.open({ storage, verifier: createInlineSignatureVerifier() })) as Instance
const sync = await Sync.open(instance)
const known = (await instance.databases()).filter((id) => id !== instance.system('_sync'))
const database =
  known[0] === undefined
    ? await instance.createDatabase({ key: alice })
    : await instance.database(known[0], { key: alice })
await sync.setSyncSettings(database.id, syncEnabled)
await sync.registerTransport('web', httpTransport({ bind: { host: '127.0.0.1', port: 0 } }))
await sync.acceptConnections()
process.send!({ ticket: formatTicket(sync.createTicket(database.id)) })
if (mode === 'writes')
  for (let n = 0; process.connected; n++) {
    const key = `${process.pid}-${n}`
    await put(database, key, 'child')
    process.send!({ wrote: key })
  }
