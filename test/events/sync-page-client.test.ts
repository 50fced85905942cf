import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import {
  outOfRangeSyncPages,
  stuckSyncPages,
  syncPages,
  unsortedSyncPages,
} from '../helpers/script-peer/sync-pages.ts'
import { syncWorld } from '../helpers/sync-world.ts'

const definition = {
  mode: 'sync_page',
  auth_pubkey: 'ab'.repeat(32),
  relay_info_mode: 'optional',
  config: { backfill_since_hours: 876_000 },
}

test('E-90 a trusted relay is walked by SYNC-PAGE from its oldest event to its newest, page by page, and goes on there', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(50), is: [syncPages({ maxLimit: 20 })] })
  await using world = await syncWorld()
  const choice = { definition }
  const run = await world.sync(peer.url, choice)
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(peer.sent('SYNC-PAGE').length, 3)
  assert.equal(peer.sent('REQ').length, 0)
  const { coverage, strategy } = (await world.checkpoint(peer.url, choice)) ?? {}
  assert.equal(strategy, 'sync_page')
  assert.deepEqual(coverage, [[0, world.now()]])
  assert.equal(run.progress?.notes?.strategy, 'sync_page')
})

const liars: [string, Personality][] = [
  ['in the wrong order', unsortedSyncPages(20)],
  ['that do not advance', stuckSyncPages(20)],
  ['with events of before the cursor', outOfRangeSyncPages(notes(50)[0]!, 20)],
]
for (const [what, is] of liars) {
  test(`E-93 pages ${what} are detected, and the link falls back`, async () => {
    await using peer = await ScriptPeer.listen({ events: notes(50), is: [is] })
    await using world = await syncWorld()
    const run = await world.sync(peer.url, { definition })
    assert.equal(run.state, 'idle', `${run.reason}`)
    assert.deepEqual(await world.held(), peer.set.ids())
    assert.match(run.progress?.notes?.fallback ?? '', /^sync_page → req: its pages cannot be relied on/)
  })
}

test('E-93 a relay that does not know the frame is walked by pages of REQ instead, and is not asked again for a day', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(10) })
  await using world = await syncWorld()
  const run = await world.sync(peer.url, { definition })
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(peer.sent('SYNC-PAGE').length, 1)
  await world.sync(peer.url, { definition })
  assert.equal(peer.sent('SYNC-PAGE').length, 1)
  await world.clock.advance(86_401_000)
  await world.sync(peer.url, { definition })
  assert.equal(peer.sent('SYNC-PAGE').length, 2)
})
