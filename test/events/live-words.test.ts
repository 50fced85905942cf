import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

test('E-25 sync while live closes the subscription before it opens another, and counts one restart and one run', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5) })
  await using world = await syncWorld()
  const link = world.stay(peer.url)
  await link.live
  const isLive = ([verb, , filter]: readonly unknown[]) =>
    verb === 'REQ' && (filter as { limit?: number }).limit === 0
  const first = peer.received.map(({ frame }) => frame).find(isLive)!
  const before = await world.untilCounted(peer.url, 'queryRuns', 1)
  await world.trigger(peer.url, 'sync')
  await peer.until(() => peer.received.filter(({ frame }) => isLive(frame)).length === 2)
  const verbs = peer.received.map(({ frame }) => frame)
  const closed = verbs.findIndex(([verb, id]) => verb === 'CLOSE' && id === first[1])
  const second = verbs.findLastIndex(isLive)
  assert.ok(closed >= 0 && closed < second)
  assert.notEqual(verbs[second]![1], first[1])
  const after = await world.untilCounted(peer.url, 'queryRuns', 2)
  assert.equal(after.subscriptionRestarts, (before.subscriptionRestarts ?? 0) + 1)
  assert.deepEqual([before.queryRuns, after.queryRuns], [1, 2])
  await link.stop()
})

test('E-104 what is new comes while a long history is still being fetched', async () => {
  const author = newAuthor()
  const release = Promise.withResolvers<void>()
  let pages = 0
  const slow: Personality = {
    connect: (connection) => ({
      answer: (frame) => {
        if (frame[0] !== 'REQ' || (frame[2] as { limit?: number }).limit === 0) return undefined
        pages++
        if (pages !== 2) return undefined
        void release.promise.then(() => connection.push(...connection.honest(frame)))
        return []
      },
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(200), is: [slow] })
  await using world = await syncWorld()
  const link = world.stay(peer.url, {
    definition: { config: { max_filter_limit: 50, backfill_since_hours: 876_000 } },
  })
  await peer.until(() => pages === 2)
  const fresh = author.write({ created_at: world.now(), content: 'now' })
  const stored = new Promise<void>((resolve) => {
    const listener = world.events.onAccepted((events) => {
      if (!events.some(({ id }) => id === fresh.id)) return
      listener[Symbol.dispose]()
      resolve()
    })
  })
  peer.publish(fresh)
  await stored
  assert.equal(pages, 2, 'history still waits')
  release.resolve()
  await link.live
  assert.deepEqual(await world.held(), peer.set.ids())
  await link.stop()
})
