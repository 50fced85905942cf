import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parsePermission } from '../../src/planes/documents/auth/permission.ts'
import { createInlineSignatureVerifier } from '../../src/planes/documents/ingest/signature-verifier.ts'
import { Instance } from '../../src/planes/documents/instance.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { Sync } from '../../src/planes/documents/sync/sync.ts'
import { formatTicket, parseTicket } from '../../src/planes/documents/sync/ticket.ts'
import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { alice, bob } from '../helpers/document-keys.ts'
import { notes, put } from '../helpers/document-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

async function onDisk(stack: AsyncDisposableStack, bind?: { host: string; port: number }) {
  const folder = stack.use(await temporaryFolder())
  const store = stack.use(await createSqliteStore({ dir: folder.path }))
  const storage = await createSqliteDocumentStorage({ store })
  const verifier = createInlineSignatureVerifier()
  const instance = stack.use((await Instance.open({ storage, verifier })) as Instance)
  const sync = stack.use(await Sync.open(instance))
  await sync.registerTransport('web', httpTransport(bind === undefined ? {} : { bind }))
  return { instance, sync }
}

it('two nodes share a database by ticket over HTTP, with approval, edit on both sides, and end equal', async () => {
  await using stack = new AsyncDisposableStack()
  const one = await onDisk(stack, { host: '127.0.0.1', port: 0 })
  const two = await onDisk(stack)
  const database = await one.instance.createDatabase({ key: alice, name: 'shared' })
  await put(database, 'from', 'one')
  await one.sync.setSyncSettings(database.id, syncEnabled)
  await one.sync.acceptConnections()
  const ticket = parseTicket(formatTicket(one.sync.createTicket(database.id)))

  await assert.rejects(two.sync.syncWithTicket(ticket), { code: 'document/peer-denied' })
  const wish = { key: bob, name: 'bob', permission: parsePermission('write:10') }
  const answer = await two.sync.requestAccess(ticket, wish)
  assert.equal(answer.status, 'pending')
  const [pending] = one.sync.access.list('pending')
  await one.sync.access.approve(pending!.id, alice)

  const handle = await two.sync.syncWithTicket(ticket)
  const copy = await two.instance.database(database.id, { key: bob })
  assert.deepEqual(await notes(copy), { from: 'one' })
  await put(copy, 'two', 'was here')
  await put(database, 'one', 'was here')
  await two.sync.syncTree(handle.peer, database.id)
  assert.deepEqual(await notes(copy), { from: 'one', one: 'was here', two: 'was here' })
  assert.deepEqual(await notes(database), await notes(copy))
  assert.deepEqual(await database.tips(), await copy.tips())
  assert.equal((await handle.status()).inStep, true)
  const [last] = await two.sync.history(handle.peer)
  assert.equal(last!.requests, 1, 'where both agreed before, one round trip is enough')
})
