import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultRetryPolicy, nextDelay } from '../../src/kernel/retry.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { peerRetry } from '../../src/planes/events/sync/peer-settings.ts'
import { notes, start } from '../helpers/notes.ts'
import { authOptional } from '../helpers/script-peer/auth.ts'
import type { Frame } from '../helpers/script-peer/behaviour.ts'
import { negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncChoice, type SyncWorld, syncWorld } from '../helpers/sync-world.ts'

type Asked = {
  readonly ids?: string[]
  readonly limit?: number
  readonly since?: number
  readonly until?: number
}
const filterOf = (frame: Frame) => frame[2] as Asked
const all = { backfill_since_hours: 876_000 }

/** One sync with a relay that has these settings; `speaks` negentropy or only pages. */
async function observed(
  config: Record<string, number>,
  {
    speaks = true,
    events = notes(60),
    ...choice
  }: SyncChoice & { speaks?: boolean; events?: NostrEvent[] } = {},
  during: (world: SyncWorld, peer: ScriptPeer) => Promise<void> = async () => {},
) {
  await using peer = await ScriptPeer.listen({ events, is: speaks ? [negStrfry()] : [] })
  await using world = await syncWorld()
  const definition = { negentropy: speaks, config: { ...all, ...config }, ...choice.definition }
  await during(world, peer)
  const run = await world.sync(peer.url, { ...choice, definition })
  assert.equal(run.state, 'idle', `${run.reason}`)
  return {
    peer,
    sent: [...peer.received.map(({ frame }) => frame)],
    held: await world.held(),
    now: world.now(),
  }
}

test('E-100 batch_size is the most ids of one REQ', async () => {
  const { sent } = await observed({ batch_size: 7 })
  const byIds = sent.filter((frame) => frame[0] === 'REQ' && filterOf(frame).ids !== undefined)
  assert.ok(byIds.length >= 9)
  assert.ok(byIds.every((frame) => filterOf(frame).ids!.length <= 7))
})

test('E-100 negentropy_frame_size bounds every message of ours', async () => {
  const events = notes(2_000, 1)
  const { sent } = await observed(
    { negentropy_frame_size: 4_096 },
    { direction: 'up', events: [] },
    (world) => world.publish(...events),
  )
  const messages = sent
    .filter(([verb]) => verb === 'NEG-OPEN' || verb === 'NEG-MSG')
    .map((frame) => String(frame.at(-1)))
  assert.ok(Math.max(...messages.map((hex) => hex.length)) <= 2 * 4_096)
})

test('E-100 negentropy_chunk_hours is the first window, and history is compared newest first', async () => {
  const { sent, now } = await observed({ negentropy_chunk_hours: 3 })
  const [, first] = sent.filter(([verb]) => verb === 'NEG-OPEN').map(filterOf)
  assert.equal(first?.until, now + 900)
  assert.equal(first?.since, now + 900 - 3 * 3_600 + 1)
})

test('E-100 backfill_since_hours is how far back history is asked for', async () => {
  const { sent, now } = await observed({ backfill_since_hours: 48 }, { speaks: false })
  const history = sent.filter((frame) => frame[0] === 'REQ' && filterOf(frame).limit !== 0).map(filterOf)
  assert.ok(history.length > 0)
  assert.ok(history.every(({ since }) => since === now - 48 * 3_600))
})

test('E-100 without backfill polling_window_minutes is how far back a first look goes', async () => {
  const { sent, now, held } = await observed(
    { polling_window_minutes: 7 },
    { speaks: false, definition: { backfill: false } },
  )
  const asked = sent.filter((frame) => frame[0] === 'REQ' && filterOf(frame).limit !== 0).map(filterOf)
  assert.ok(asked.every(({ since }) => since === now - 7 * 60))
  assert.deepEqual(held, [])
})

test('E-100 max_filter_limit is the largest limit that is asked for', async () => {
  const { sent, held } = await observed({ max_filter_limit: 13 }, { speaks: false })
  const pages = sent.filter(([verb]) => verb === 'REQ').map(filterOf)
  assert.ok(pages.every(({ limit = 0 }) => limit <= 13))
  assert.equal(held.length, 60)
})

test('E-100 polling_chunk_hours cuts a page walk into windows', async () => {
  const { sent } = await observed(
    { polling_chunk_hours: 6, backfill_since_hours: 24 },
    { speaks: false, events: [] },
  )
  const windows = new Set(sent.filter(([verb]) => verb === 'REQ').map((frame) => filterOf(frame).since))
  assert.ok(windows.size >= 4)
})

test('E-100 overlap_window_seconds, and resume_overlap_seconds before it, is what is looked at again', async () => {
  for (const [config, seconds] of [
    [{}, 60],
    [{ resume_overlap_seconds: 20 }, 20],
  ] as const) {
    await using peer = await ScriptPeer.listen({ events: notes(5) })
    await using world = await syncWorld()
    const definition = { overlap_window_seconds: 60, config: { ...all, ...config }, schedule: '5m' }
    await world.sync(peer.url, { definition })
    const before = peer.received.length
    const top = world.now()
    await world.sync(peer.url, { definition })
    const again = peer.received.slice(before).map(({ frame }) => frame)
    const since = again.filter(([verb]) => verb === 'REQ').map((frame) => filterOf(frame).since)
    assert.deepEqual([...new Set(since)], [top - seconds + 1])
  }
})

test('E-100 upload_pipeline is the most events without their OK, upload_delay_ms the pause after upload_batch_size of them', async () => {
  const events = notes(30)
  let unanswered = 0
  let most = 0
  await using peer = await ScriptPeer.listen({
    is: [
      {
        connect: (connection) => ({
          answer: (frame) => {
            if (frame[0] !== 'EVENT') return undefined
            unanswered++
            most = Math.max(most, unanswered)
            // One OK for each, but only once nothing more comes.
            setImmediate(() =>
              setImmediate(() => {
                unanswered--
                connection.push(...connection.honest(frame))
              }),
            )
            return []
          },
        }),
      },
    ],
  })
  await using world = await syncWorld()
  await world.publish(...events)
  const config = { upload_pipeline: 4, upload_batch_size: 10, upload_delay_ms: 5_000 }
  const running = world.sync(peer.url, { direction: 'up', definition: { direction: 'up', config } })
  for (const count of [10, 20]) {
    await peer.until(() => peer.sent('EVENT').length === count)
    await peer.quiet()
    assert.equal(peer.sent('EVENT').length, count, 'the rest waits for the pause to pass')
    await world.clock.advance(5_000)
  }
  const run = await running
  assert.equal(run.progress?.counters?.uploaded, 30, `${run.reason}`)
  assert.ok(most <= 4, `${most} without an OK`)
})

test('E-100 reconnect_delay_seconds is where the backoff begins, max_reconnect_attempts when the slow lane does', () => {
  const metadata = { definition: { config: { reconnect_delay_seconds: 8, max_reconnect_attempts: 3 } } }
  const policy = peerRetry({ metadata }, {}, defaultRetryPolicy)
  assert.deepEqual(
    [1, 2, 3].map((n) => nextDelay(policy, n, 0)),
    [4_000, 8_000, 150_000],
  )
  const byNode = peerRetry({ metadata: {} }, { reconnect_delay_seconds: 2 }, defaultRetryPolicy)
  assert.equal(nextDelay(byNode, 1, 0), 1_000)
})

test('E-50 with auth.mode on_required the key is shown to no relay that does not demand it', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [authOptional()] })
  await using world = await syncWorld()
  const run = await world.sync(peer.url, { definition: { auth: { type: 'nip42', mode: 'on_required' } } })
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.equal(peer.sent('AUTH').length, 0)
})

test('a target is where history ends for everybody: a note from before it is not fetched', async () => {
  const { held } = await observed({ backfill_since_hours: 1 }, { events: notes(5, 60, undefined, start) })
  assert.deepEqual(held, [])
})

test('that a relay does not speak negentropy is remembered for a day, or until a full comparison is asked for', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5) })
  await using world = await syncWorld()
  const choice = { definition: { negentropy: true } }
  const asked = () => peer.sent('NEG-OPEN').length
  await world.sync(peer.url, choice)
  assert.equal(asked(), 1)
  await world.sync(peer.url, choice)
  assert.equal(asked(), 1)
  await world.full(peer.url, choice)
  assert.equal(asked(), 2)
})
