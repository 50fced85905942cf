import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { RunRecord } from '../../src/kernel/run.ts'
import type { DispatchMode } from '../../src/node/sync-control.ts'
import { notes } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type ControlWorld, controlWorld, isLive, ok } from './control-world.ts'

const mute: Personality = { connect: () => ({ answer: () => [] }) }
const poll = { mode: 'poll' }

/** Changes what is stored of every run, while no node is open. */
function rewriteRuns(world: ControlWorld, change: (run: RunRecord) => Partial<RunRecord>): void {
  using database = new DatabaseSync(join(world.folder, 'data', 'syncline.db'))
  for (const { link, run } of database.prepare('SELECT link, run FROM link_runs').all()) {
    const before = JSON.parse(String(run)) as RunRecord
    const after = JSON.stringify({ ...before, ...change(before) })
    database.prepare('UPDATE link_runs SET run = ? WHERE link = ?').run(after, link ?? null)
  }
}

test('E-102 each mode asks the relays it is for, and one that is only sent to is never downloaded from', async () => {
  const events = notes(3)
  await using down = await ScriptPeer.listen()
  await using up = await ScriptPeer.listen({ events })
  await using bare = await ScriptPeer.listen()
  await using off = await ScriptPeer.listen()
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  ok(await sync.createRelay({ url: down.url, ...poll }))
  ok(await sync.createRelay({ url: up.url, ...poll, direction: 'up' }))
  ok(await sync.createRelay({ url: off.url, ...poll, enabled: false, direction: 'both' }))
  const asked = async (mode: DispatchMode) => {
    const { dispatched, skipped } = await sync.trigger(mode)
    const names = new Map([
      [down.url, 'down'],
      [up.url, 'up'],
      [bare.url, 'bare'],
      [off.url, 'off'],
    ])
    for (const { run_id } of dispatched) assert.ok(run_id > 0)
    for (const { id } of dispatched) await world.untilStates(id, ([state]) => state?.phase === 'idle')
    return {
      asked: dispatched.map(({ url }) => names.get(url)).toSorted(),
      skipped: Object.fromEntries(skipped.map(({ url, reason }) => [names.get(url), reason])),
    }
  }
  const off1 = { off: 'relay_disabled' }
  assert.deepEqual(await asked('realtime'), {
    asked: ['down'],
    skipped: { ...off1, up: 'direction_mismatch' },
  })
  assert.deepEqual(await asked('upload'), { asked: ['up'], skipped: { ...off1, down: 'direction_mismatch' } })
  assert.deepEqual(await asked('full'), { asked: ['down', 'up'], skipped: off1 })
  assert.equal((await world.node.count({})).count, 0, 'an up-only relay was downloaded from')
  assert.deepEqual(await sync.trigger('full', 'wss://nobody.example'), {
    mode: 'full',
    dispatched: [],
    skipped: [{ id: null, url: 'wss://nobody.example', reason: 'unknown_relay' }],
  })
})

test('E-103 what runs, is complete or is switched off is passed over with the reason; full knows no complete', async () => {
  await using quick = await ScriptPeer.listen({ events: notes(3) })
  await using slow = await ScriptPeer.listen({ is: [mute] })
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const done = ok(await sync.createRelay({ url: quick.url, ...poll })).id
  ok(await sync.syncNow(done, { wait: true }))
  const busy = ok(await sync.createRelay({ url: slow.url, ...poll })).id
  ok(await sync.syncNow(busy))
  await slow.until(({ received }) => received.length > 0)
  const reasons = async (mode: DispatchMode, url: string) =>
    (await sync.trigger(mode, url)).skipped.map(({ reason }) => reason)
  assert.deepEqual(await reasons('backfill', slow.url), ['already_syncing'])
  assert.deepEqual(await reasons('backfill', quick.url), ['backfill_complete'])
  assert.deepEqual(await reasons('full', quick.url), [])
  ok(await sync.stopServer(busy))
  assert.deepEqual(await reasons('backfill', slow.url), ['stopped'])
  ok(await sync.updateRelay(busy, { enabled: false }))
  assert.deepEqual(await reasons('backfill', slow.url), ['relay_disabled'])
})

test('a live relay needs no realtime poll', async () => {
  await using peer = await ScriptPeer.listen()
  await using world = await controlWorld()
  const { id } = ok(await world.node.sync.createRelay({ url: peer.url }))
  await world.until(id, isLive)
  const { dispatched, skipped } = await world.node.sync.trigger('realtime')
  assert.deepEqual([dispatched, skipped.map(({ reason }) => reason)], [[], ['live']])
})

test('E-106 a run whose process died is set free, one that is alive is not touched', async () => {
  await using peer = await ScriptPeer.listen({ is: [mute] })
  await using world = await controlWorld({ start: false })
  const { id } = ok(await world.node.sync.createRelay({ url: peer.url, ...poll }))
  ok(await world.node.sync.syncNow(id))
  await peer.until(({ received }) => received.length > 0)
  assert.equal((await world.node.sync.recover()).recovered_stale, 0)
  assert.equal((await world.node.sync.states(id))[0]?.status, 'syncing')
  await world.close()
  rewriteRuns(world, () => ({ state: 'running' }))
  await world.restart()
  assert.equal((await world.node.sync.states(id))[0]?.status, 'syncing')
  assert.equal((await world.node.sync.recover()).recovered_stale, 1)
  assert.equal((await world.node.sync.states(id))[0]?.status, 'idle')
})

test('E-107 an old error is tried again, a young one waits, and the history keeps what it was', async () => {
  await using world = await controlWorld({ start: false })
  const { id } = ok(await world.node.sync.createRelay({ url: 'ws://127.0.0.1:9/', ...poll }))
  ok(await world.node.sync.syncNow(id, { wait: true }))
  const [failed] = await world.node.sync.states(id)
  assert.equal(failed?.status, 'error')
  assert.equal((await world.node.sync.recover()).retried_errors, 0)
  await world.close()
  rewriteRuns(world, () => ({ finishedAt: Date.now() - 31 * 60_000, dueAt: Date.now() + 3_600_000 }))
  await world.restart()
  assert.deepEqual(await world.node.sync.recover(), { recovered_stale: 0, retried_errors: 1 })
  const [state] = await world.node.sync.states(id)
  assert.deepEqual([state?.status, state?.error_message], ['idle', null])
  const [run] = await world.node.sync.runs(id)
  assert.deepEqual([run?.outcome, run?.reason], ['failed', failed?.error_message])
})

test('E-74 a reset forgets how far one relay is, and neither its events nor others', async () => {
  await using one = await ScriptPeer.listen({ events: notes(3) })
  await using two = await ScriptPeer.listen({ events: notes(5) })
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const ids: string[] = []
  for (const { url } of [one, two]) {
    const { id } = ok(await sync.createRelay({ url, ...poll }))
    ok(await sync.syncNow(id, { wait: true }))
    ids.push(id)
  }
  const before = await sync.states(ids[1])
  assert.deepEqual(await sync.reset(ids[0]), { reset: 1 })
  const [state] = await sync.states(ids[0])
  assert.deepEqual([state?.coverage, state?.events_downloaded, state?.status], [[], 0, 'idle'])
  assert.deepEqual(await sync.states(ids[1]), before)
  assert.equal((await world.node.count({})).count, 8)
})
