import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Event, finalizeEvent, generateSecretKey, nip77, SimplePool } from 'nostr-tools'
import { WebSocket } from 'ws'
import { realRelay } from './real-relay.ts'

const key = generateSecretKey()
const note = (at: number, kind = 1): Event =>
  finalizeEvent(
    { kind, created_at: 1_700_000_000 + at, tags: [['t', `tag ${at % 3}`]], content: `note ${at}` },
    key,
  )

describe('nostr-tools as a client of the relay', { timeout: 30_000 }, () => {
  it('publishes, queries and reads live', async () => {
    await using peer = await realRelay()
    const pool = new SimplePool({ websocketImplementation: WebSocket, maxWaitForConnection: 5_000 } as never)
    try {
      const events = Array.from({ length: 20 }, (_, at) => note(at))
      await Promise.all(events.flatMap((event) => pool.publish([peer.url], event)))
      const found = await pool.querySync([peer.url], { '#t': ['tag 1'], limit: 5 })
      const wanted = events
        .filter((_, at) => at % 3 === 1)
        .reverse()
        .slice(0, 5)
      assert.deepEqual(
        found.map(({ id }) => id),
        wanted.map(({ id }) => id),
      )

      const live = Promise.withResolvers<Event>()
      const ready = Promise.withResolvers<void>()
      const since = 1_700_000_000 + 100
      pool.subscribe([peer.url], { kinds: [1], since }, { onevent: live.resolve, oneose: ready.resolve })
      await ready.promise
      const later = note(200)
      await Promise.all(pool.publish([peer.url], later))
      assert.equal((await live.promise).id, later.id)
    } finally {
      pool.destroy()
    }
  })

  it('finds by negentropy exactly what each side lacks', async () => {
    await using peer = await realRelay()
    const pool = new SimplePool()
    try {
      const events = Array.from({ length: 60 }, (_, at) => note(at))
      const [theirs, shared, ours] = [events.slice(0, 15), events.slice(15, 45), events.slice(45)]
      await Promise.all([...shared, ...ours].flatMap((event) => pool.publish([peer.url], event)))
      const storage = new nip77.NegentropyStorageVector()
      for (const event of [...theirs, ...shared]) storage.insert(event.created_at, event.id)
      storage.seal()
      const have: string[] = []
      const need: string[] = []
      const done = Promise.withResolvers<string | undefined>()
      const relay = await pool.ensureRelay(peer.url)
      const sync = new nip77.NegentropySync(
        relay,
        storage,
        { kinds: [1] },
        {
          onhave: (id) => have.push(id),
          onneed: (id) => need.push(id),
          onclose: done.resolve,
        },
      )
      await sync.start()
      assert.equal(await done.promise, undefined)
      assert.deepEqual(have.sort(), theirs.map(({ id }) => id).sort())
      assert.deepEqual(need.sort(), ours.map(({ id }) => id).sort())
    } finally {
      pool.destroy()
    }
  })
})
