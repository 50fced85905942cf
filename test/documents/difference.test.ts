import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database } from '../../src/planes/documents/database.ts'
import type { EntryId } from '../../src/planes/documents/entry/entry-id.ts'
import { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import type { SyncTransport } from '../../src/planes/documents/sync/transport/sync-transport.ts'
import { sealResponse } from '../../src/planes/documents/sync/wire/envelope.ts'
import { decodeMessage, encodeMessage } from '../../src/planes/documents/sync/wire/message-codec.ts'
import { requestEnvelopeSchema, requestSchema } from '../../src/planes/documents/sync/wire/request.ts'
import {
  responseEnvelopeSchema,
  responseSchema,
  type SyncResponse,
} from '../../src/planes/documents/sync/wire/response.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { alice } from '../helpers/document-keys.ts'
import { type SyncPeer, syncWorld } from '../helpers/document-network.ts'
import { copy, entriesOf, notes, put } from '../helpers/document-world.ts'

async function shared(a: SyncPeer, others: readonly SyncPeer[]): Promise<Database> {
  const database = await a.instance.createDatabase({ key: alice })
  for (const peer of [a, ...others]) {
    await peer.sync.setSyncSettings(database.id, syncEnabled)
    peer.sync.setAccessKey(database.id, alice)
  }
  return database
}

const opened = (peer: SyncPeer, { id }: Database) => peer.instance.database(id, { key: alice })

async function write(database: Database, count: number, name: string): Promise<EntryId[]> {
  const ids: EntryId[] = []
  for (let i = 0; i < count; i++) ids.push(await put(database, `${name}${i}`, name))
  return ids
}

async function last(peer: SyncPeer, other: SyncPeer) {
  const [attempt] = await peer.sync.history(other.instance.id, 1)
  return attempt!
}

async function assertEqual(one: Database, two: Database): Promise<void> {
  assert.deepEqual(await two.tips(), await one.tips())
  const ids = async (database: Database) => (await entriesOf(database)).map(({ id }) => id)
  assert.deepEqual(await ids(two), await ids(one))
  assert.deepEqual(await notes(two), await notes(one))
}

describe('what an exchange costs', () => {
  it('D-88 D-89 D-96 where the two agreed before: one round trip, the difference, and 8 kB at most besides', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const one = await shared(a, [b])
    await write(one, 200, 'old')
    await b.sync.syncWithPeer(a.address, one.id)
    const two = await opened(b, one)
    const size = async (database: Database, ids: readonly EntryId[]) =>
      (await Promise.all(ids.map((id) => database.entry(id)))).reduce(
        (sum, { bytes }) => sum + bytes.length,
        0,
      )
    const entries =
      (await size(one, await write(one, 10, 'one'))) + (await size(two, await write(two, 10, 'two')))
    await b.sync.syncTree(a.instance.id, one.id)
    const { requests, received, sent, bytes } = await last(b, a)
    assert.deepEqual({ requests, received, sent }, { requests: 1, received: 10, sent: 10 })
    assert.ok(bytes - entries < 8_000, `${bytes - entries} bytes besides the entries`)
    await assertEqual(one, two)
  })

  it('D-96 where nobody remembers what was agreed, only the difference goes over the wire', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const one = await shared(a, [b])
    await write(one, 300, 'old')
    await copy(one, b.instance)
    const two = await opened(b, one)
    await write(one, 7, 'one')
    await write(two, 5, 'two')
    await b.sync.syncWithPeer(a.address, one.id)
    const { received, sent, bytes } = await last(b, a)
    assert.deepEqual({ received, sent }, { received: 7, sent: 5 })
    const whole = (await entriesOf(one)).reduce((sum, entry) => sum + entry.bytes.length, 0)
    assert.ok(bytes < whole / 4, `${bytes} bytes of ${whole}`)
    await assertEqual(one, two)
  })

  it('a peer that was set back to an older state gets the rest again, whatever was agreed', async () => {
    await using world = await syncWorld(3)
    const [a, b, c] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
    const one = await shared(a, [b, c])
    await write(one, 5, 'old')
    await copy(one, c.instance)
    await write(one, 5, 'more')
    await b.sync.syncWithPeer(a.address, one.id)
    // B believes that C has what A had with it.
    const { agreed } = await b.sync.status(a.instance.id, one.id)
    await b.sync.connect(c.address)
    const note = `sync/${c.instance.id}/${one.id}`
    await b.instance.setNote(
      note,
      JSON.stringify({ agreed, successes: 1, failures: 0, received: 0, sent: 0 }),
    )
    await put(await opened(b, one), 'new', 'entry')
    await b.sync.syncTree(c.instance.id, one.id)
    await assertEqual(await opened(b, one), await opened(c, one))
  })

  it('D-97 a peer that holds an entry without its parents serves and takes everything else', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const one = await shared(a, [b])
    await b.sync.syncWithPeer(a.address, one.id)
    const [, child] = await write(one, 2, 'one')
    await b.instance.ingest([(await one.entry(child!)).bytes])
    const two = await opened(b, one)
    await write(two, 2, 'two')
    assert.equal(await b.instance.read((view) => view.heldCount(one.id)), 1)
    await a.sync.syncWithPeer(b.address, one.id)
    await assertEqual(one, two)
    assert.equal(await b.instance.read((view) => view.heldCount(one.id)), 0)
  })

  it('D-86 a history of many pages goes on where it was cut off, both ways', async () => {
    let left = Number.POSITIVE_INFINITY
    const pages = { bytes: 1_000_000, entries: 20 }
    await using world = await syncWorld(2, { pages })
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const line = world.network.transport('b')
    const failing: SyncTransport = {
      ...line,
      type: 'memory',
      send: (address, message, signal) => {
        left -= 1
        return line.send(left < 0 ? 'nobody' : address, message, signal)
      },
    }
    await b.sync.registerTransport('memory-0', { type: 'memory', build: () => ({ transport: failing }) })
    const one = await shared(a, [b])
    await write(one, 199, 'old')
    const peer = await b.sync.connect(a.address)
    let received = 0
    for (let tries = 0; ; tries++) {
      left = 4
      try {
        await b.sync.syncTree(peer, one.id)
        break
      } catch {
        received += (await last(b, a)).received
        assert.ok(tries < 10, 'it gets nowhere')
      }
    }
    assert.ok(received >= 100, 'it was cut off')
    received += (await last(b, a)).received
    assert.equal(received, 200, 'nothing came twice')
    left = Number.POSITIVE_INFINITY
    const two = await opened(b, one)
    await write(two, 90, 'new')
    await b.sync.syncTree(peer, one.id)
    const { sent, requests } = await last(b, a)
    assert.deepEqual({ sent, requests }, { sent: 90, requests: 5 })
    await assertEqual(one, two)
  })

  it('D-103 many bootstrap at once and get the same', async () => {
    await using world = await syncWorld(9)
    const [a, ...others] = world.peers as [SyncPeer, ...SyncPeer[]]
    const one = await shared(a, others)
    await write(one, 30, 'old')
    await Promise.all(others.map((peer) => peer.sync.syncWithPeer(a.address, one.id)))
    for (const peer of others) await assertEqual(one, await opened(peer, one))
  })

  it('D-118 what does not begin with the root that was asked for is refused', async () => {
    await using world = await syncWorld(2)
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const one = await shared(a, [b])
    await write(one, 3, 'old')
    const foreign = await a.instance.createDatabase({ key: alice })
    const liar = KeyPair.generate()
    const entries = [...(await entriesOf(foreign)), ...(await entriesOf(one)).slice(1)].map(
      ({ bytes }) => bytes,
    )
    const tips = [...(await one.tips())]
    const answer = (message: Uint8Array): SyncResponse => {
      const { body } = decodeMessage(requestEnvelopeSchema, message)!
      if (decodeMessage(requestSchema, body)!.type === 'hello')
        return { type: 'hello', epoch: new Uint8Array(16), time: 0 }
      return { type: 'sync', known: true, tips, entries, refused: [], missing: [] }
    }
    await using listening = await world.network.transport('liar').listen!(async (message) => {
      const body = encodeMessage(responseSchema, answer(message))
      return encodeMessage(responseEnvelopeSchema, sealResponse(liar, message, body))
    })
    await assert.rejects(b.sync.syncWithPeer(listening.addresses[0]!, one.id), {
      code: 'document/peer-protocol',
    })
    const held = await b.instance.databases()
    assert.ok(!held.includes(one.id) && !held.includes(foreign.id))
  })
})
