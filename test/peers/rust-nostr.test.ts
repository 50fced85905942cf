import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  Client,
  Duration,
  type Event,
  EventBuilder,
  Filter,
  Keys,
  Kind,
  loadWasmSync,
  NostrDatabase,
  SyncDirection,
  SyncOptions,
  Timestamp,
} from '@rust-nostr/nostr-sdk'
import { everything } from '../../src/planes/events/event-store.ts'
import { type RealRelay, realRelay } from './real-relay.ts'

loadWasmSync()
// The SDK never cancels its deadlines of up to a minute; what is left of them must not keep the process.
const start = globalThis.setTimeout
globalThis.setTimeout = Object.assign(
  (work: () => void, ms?: number) => start(work, ms).unref(),
  start,
) as typeof setTimeout

const patience = Duration.fromSecs(10)
const kind = 1
const ids = (events: readonly Event[]) => events.map((event) => event.id.toHex()).sort()

function notes(count: number): Event[] {
  const keys = Keys.generate()
  return Array.from({ length: count }, (_, at) => {
    const builder = EventBuilder.textNote(`note ${at}`).customCreatedAt(
      Timestamp.fromSecs(1_700_000_000 + at),
    )
    return builder.signWithKeys(keys)
  })
}

async function connected(peer: RealRelay, name: string) {
  const database = await NostrDatabase.indexeddb(name)
  const client = Client.builder().database(database).build()
  await client.addRelay(peer.url)
  await client.connect()
  await client.waitForConnection(patience)
  return { client, database, [Symbol.asyncDispose]: () => client.shutdown() }
}

async function stored({ store }: RealRelay): Promise<string[]> {
  const request = { filter: { kinds: [kind] }, order: 'asc', limit: 1_000, visibility: everything } as const
  const { events } = await store.page(request)
  return events.map(({ id }) => id).sort()
}

describe('rust-nostr as a client of the relay', { timeout: 60_000 }, () => {
  it('publishes and fetches', async () => {
    await using peer = await realRelay()
    await using session = await connected(peer, 'publish')
    const events = notes(5)
    for (const event of events) {
      const { success } = await session.client.sendEvent(event)
      assert.equal(success.length, 1)
    }
    const fetched = await session.client.fetchEvents(new Filter().kind(new Kind(kind)), patience)
    assert.deepEqual(ids(fetched.toVec()), ids(events))
    assert.deepEqual(await stored(peer), ids(events))
  })

  it('syncs down and up by negentropy until both sides hold the same', async () => {
    await using peer = await realRelay()
    await using session = await connected(peer, 'sync')
    const all = notes(90)
    const [theirs, shared, ours] = [all.slice(0, 30), all.slice(30, 60), all.slice(60)]
    await using publisher = await connected(peer, 'publisher')
    for (const event of [...shared, ...ours]) await publisher.client.sendEvent(event)
    for (const event of [...theirs, ...shared]) await session.database.save_event(event)

    const filter = new Filter().kind(new Kind(kind))
    const { success } = await session.client.sync(filter, new SyncOptions().direction(SyncDirection.Both))
    assert.equal(success.length, 1)
    const held = await session.database.query(new Filter().kind(new Kind(kind)))
    assert.deepEqual(ids(held.toVec()), ids(all))
    assert.deepEqual(await stored(peer), ids(all))
  })
})
