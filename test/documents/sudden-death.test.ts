import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { createInlineSignatureVerifier } from '../../src/planes/documents/ingest/signature-verifier.ts'
import { Instance } from '../../src/planes/documents/instance.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { Sync } from '../../src/planes/documents/sync/sync.ts'
import { type DatabaseTicket, parseTicket } from '../../src/planes/documents/sync/ticket.ts'
import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { alice } from '../helpers/document-keys.ts'
import { seededRandom } from '../helpers/document-simulation.ts'
import { notes, put } from '../helpers/document-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const program = new URL('../helpers/document-peer-process.ts', import.meta.url)

class Child implements AsyncDisposable {
  readonly ticket: DatabaseTicket
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, ticket: DatabaseTicket) {
    this.#process = process
    this.ticket = ticket
  }

  static async start(dir: string, mode: 'writes' | 'rests', wrote: (key: string) => void): Promise<Child> {
    const child = fork(program, [dir, mode])
    const { promise, resolve, reject } = Promise.withResolvers<DatabaseTicket>()
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)))
    child.on('message', (message: { readonly ticket?: string; readonly wrote?: string }) => {
      if (message.ticket !== undefined) resolve(parseTicket(message.ticket))
      if (message.wrote !== undefined) wrote(message.wrote)
    })
    return new Child(child, await promise)
  }

  /** Kills it, in the middle of whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }
}

it('K1 D-92 a node that is killed again and again while it writes and syncs loses nothing, and both end equal', async () => {
  const random = seededRandom(7)
  await using stack = new AsyncDisposableStack()
  const [theirs, ours] = [stack.use(await temporaryFolder()), stack.use(await temporaryFolder())]
  const store = stack.use(await createSqliteStore({ dir: ours.path }))
  const storage = await createSqliteDocumentStorage({ store })
  const verifier = createInlineSignatureVerifier()
  const instance = stack.use((await Instance.open({ storage, verifier })) as Instance)
  const sync = stack.use(await Sync.open(instance))
  await sync.registerTransport('web', httpTransport())
  const written = new Set<string>()
  const note = (key: string) => void written.add(key)

  for (let life = 0; life < 4; life++) {
    await using child = await Child.start(theirs.path, 'writes', note)
    const { ticket } = child
    sync.setAccessKey(ticket.database, alice)
    for (let i = 2 + Math.floor(random() * 3); i > 0; i--) {
      // It writes without end, so the two need not be equal; what came is kept.
      await sync.syncWithTicket(ticket).catch((error: { code?: string }) => {
        assert.equal(error.code, 'document/sync-incomplete')
      })
      await put(await instance.database(ticket.database, { key: alice }), `own-${life}-${i}`, 'parent')
      written.add(`own-${life}-${i}`)
    }
    // In the middle of an exchange, too.
    void sync.syncWithTicket(ticket).catch(() => {})
  }

  await using child = await Child.start(theirs.path, 'rests', note)
  const handle = await sync.syncWithTicket(child.ticket)
  const database = await instance.database(handle.tree)
  const state = await notes(database)
  for (const key of written) assert.ok(key in state, `${key} was durable and is lost`)
  assert.equal((await handle.status()).inStep, true)
  await sync.syncTree(handle.peer, handle.tree)
  const [last] = await sync.history(handle.peer)
  assert.deepEqual([last!.requests, last!.received, last!.sent], [1, 0, 0])
})
