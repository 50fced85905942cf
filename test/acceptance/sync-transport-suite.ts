import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SyncAddress } from '../../src/planes/documents/sync/sync-address.ts'
import type { SyncTransport } from '../../src/planes/documents/sync/transport/sync-transport.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { alice } from '../helpers/document-keys.ts'
import { SyncPeer } from '../helpers/document-network.ts'
import { notes, put } from '../helpers/document-world.ts'

export interface TransportSetup extends AsyncDisposable {
  /** A transport that can be dialled, at an address of its own. */
  listening(): Promise<SyncTransport> | SyncTransport
  /** An address of this kind at which nobody answers. */
  readonly nobody: string
}

const forever = new AbortController().signal

/** What every transport of the documents plane does. */
export function syncTransportSuite(name: string, create: () => Promise<TransportSetup>): void {
  describe(`documents transport ${name}`, () => {
    it('D-84 carries messages of any size both ways, several at once, to whoever listens', async () => {
      await using setup = await create()
      await using server = await setup.listening()
      await using client = await setup.listening()
      await using listening = await server.listen!(async (message) => message.toReversed())
      const [at] = listening.addresses as [SyncAddress]
      assert.equal(at.type, server.type)
      const sizes = [0, 1, 70_000, 3_000_000]
      const answers = await Promise.all(
        sizes.map((size, i) => client.send(at.address, new Uint8Array(size).fill(i + 1, size / 2), forever)),
      )
      for (const [i, size] of sizes.entries())
        assert.deepEqual(
          Buffer.from(answers[i]!),
          Buffer.from(new Uint8Array(size).fill(i + 1, size / 2)).reverse(),
        )
    })

    it('D-80 nobody at the address is an error that says so, and waiting can be given up', async () => {
      await using setup = await create()
      await using client = await setup.listening()
      await assert.rejects(client.send(setup.nobody, new Uint8Array(1), forever), {
        code: 'document/unreachable',
      })
      await using server = await setup.listening()
      const { promise, resolve } = Promise.withResolvers<Uint8Array>()
      await using listening = await server.listen!(() => promise)
      const giving = new AbortController()
      const sent = client.send(listening.addresses[0]!.address, new Uint8Array(1), giving.signal)
      giving.abort(new Error('given up'))
      await assert.rejects(sent, /given up/)
      resolve(new Uint8Array(0))
    })

    it('D-79 what was stopped is not reached any more', async () => {
      await using setup = await create()
      await using server = await setup.listening()
      await using client = await setup.listening()
      const listening = await server.listen!(async (message) => message)
      const [at] = listening.addresses as [SyncAddress]
      await client.send(at.address, new Uint8Array(1), forever)
      await listening[Symbol.asyncDispose]()
      await assert.rejects(client.send(at.address, new Uint8Array(1), forever), {
        code: 'document/unreachable',
      })
    })

    it('D-79 D-83 D-84 D-87 D-88 two nodes share a database over it, both ways', async () => {
      await using setup = await create()
      await using stack = new AsyncDisposableStack()
      const [one, two] = await Promise.all([1, 2].map((n) => SyncPeer.start({ name: `${n}`, networks: [] })))
      for (const peer of [one!, two!]) {
        stack.use(peer)
        const transport = await setup.listening()
        // A name of its own: what others dial is the type.
        await peer.sync.registerTransport('my line', { type: transport.type, build: () => ({ transport }) })
        assert.deepEqual(peer.sync.addresses(), [], 'nobody is let in before somebody says so')
      }
      await one!.sync.acceptConnections()
      await assert.rejects(one!.sync.acceptConnections('my line'), { code: 'document/transport' })
      const [told] = one!.sync.addresses()
      assert.ok(!/:0$/.test(told!.address), 'the port that was taken, not the one that was asked for')
      const database = await one!.instance.createDatabase({ key: alice })
      await one!.sync.setSyncSettings(database.id, syncEnabled)
      await put(database, 'one', '1')
      two!.sync.setAccessKey(database.id, alice)
      const handle = await two!.sync.syncWithTicket(one!.sync.createTicket(database.id))
      const copy = await two!.instance.database(database.id, { key: alice })
      await put(copy, 'two', '2')
      await two!.sync.syncTree(handle.peer, database.id)
      assert.deepEqual(await notes(database), { one: '1', two: '2' })
      await two!.sync.syncTree(handle.peer, database.id)
      const [last] = await two!.sync.history(handle.peer)
      assert.deepEqual([last!.received, last!.sent, last!.requests], [0, 0, 1])
      await one!.sync.stopAccepting('my line')
      assert.deepEqual(one!.sync.addresses(), [], 'an address is told only while somebody listens there')
      await assert.rejects(one!.sync.stopAccepting('my line'), { code: 'document/transport' })
      await assert.rejects(two!.sync.syncTree(handle.peer, database.id), { code: 'document/unreachable' })
    })
  })
}
