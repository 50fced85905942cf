import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes, start } from '../helpers/notes.ts'
import type { Output, Personality } from '../helpers/script-peer/behaviour.ts'
import { foreign, forging } from '../helpers/script-peer/faults.ts'
import type { AskedFilter } from '../helpers/script-peer/filter.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { expect, lie, scripted, send } from '../helpers/script-peer/script.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)
const isLive = (frame: readonly unknown[]) => (frame[2] as AskedFilter | undefined)?.limit === 0

/** Sends this before it answers anything. */
const babbling = (...noise: readonly Output[]): Personality => ({
  connect: () => ({ bend: (outputs) => [...noise, ...outputs] }),
})

test('E-55 nothing a peer may send takes the process down, and what it says sensibly in between counts', async () => {
  const noise: readonly Output[] = [
    new Uint8Array([1, 2, 3, 255]),
    'x'.repeat(10 * 1024 * 1024),
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `["EVENT","s1",${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]`,
    '{"not":"an array"}',
    'null',
    '"text"',
    '',
    '[',
    '[]',
    '[1,2]',
    '["EVENT"]',
    '["EVENT",1]',
    '["EVENT","s1"]',
    '["EVENT","s1",null]',
    '["OK"]',
    '["EOSE",{}]',
    '["CLOSED"]',
    '["NEG-MSG","s1",7]',
    '["constructor","s1"]',
    '["__proto__"]',
    '["WHATEVER","is","this"]',
  ]
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using peer = await ScriptPeer.listen({
      events: notes(20),
      is: [scripted([send(...noise)]), ...is],
    })
    await using world = await syncWorld()
    let { state, reason } = await world.sync(peer.url)
    // A connection that is only noise may be given up; the next one is as good as any.
    if (state !== 'idle') ({ state, reason } = await world.sync(peer.url))
    assert.equal(state, 'idle', `${reason}`)
    assert.deepEqual(await world.held(), peer.set.ids())
  }
})

test('E-57 subscription ids are short, and never come twice on one connection', async () => {
  await using peer = await ScriptPeer.listen({
    events: notes(200),
    is: [negDisabled(), babbling(['NOTICE', 'hello'])],
  })
  await using world = await syncWorld()
  await world.publish(...notes(5, 60, newAuthor()))
  await world.sync(peer.url, {
    direction: 'both',
    filter: { authors: [author.pubkey, world.identity.pubkey] },
  })
  await world.sync(peer.url, { direction: 'both' })
  const seen = new Set<string>()
  for (const { connection, frame } of peer.received) {
    if (frame[0] !== 'REQ' && frame[0] !== 'COUNT' && frame[0] !== 'NEG-OPEN') continue
    const id = frame[1] as string
    assert.ok(id.length >= 1 && id.length <= 20, id)
    assert.ok(!seen.has(`${connection} ${id}`), `${id} again`)
    seen.add(`${connection} ${id}`)
  }
  assert.ok(seen.size > 4)
})

test('E-53 a peer that accepts and hangs up is not reconnected to within one attempt', async () => {
  const rude: Personality = { connect: () => ({ greet: () => [{ close: 1_000 }] }) }
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [rude] })
  await using world = await syncWorld()
  const delays: number[] = []
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { state, failures, dueAt, finishedAt } = await world.sync(peer.url)
    assert.equal(state, 'waiting')
    assert.equal(failures, attempt, 'that the line was open for a moment is no success')
    assert.equal(peer.connections, attempt)
    delays.push((dueAt ?? 0) - (finishedAt ?? 0))
    await world.clock.advance(delays.at(-1)!)
  }
  for (const [i, delay] of delays.entries()) if (i > 0) assert.ok(delay > delays[i - 1]!, `${delays}`)
})

test('E-161 a peer of nothing but forgeries: nothing is stored, and everything is counted', async () => {
  const events = notes(2_000, 1)
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using peer = await ScriptPeer.listen({ events, is: [forging(), ...is] })
    await using world = await syncWorld()
    const { state, progress } = await world.sync(peer.url)
    assert.equal(state, 'idle')
    assert.deepEqual(await world.held(), [])
    assert.equal(progress?.counters?.rejected, events.length)
  }
})

test('duplicates within an answer are stored once and counted as what they are', async () => {
  const twice = lie((events) => events.flatMap((event) => [event, event]))
  await using peer = await ScriptPeer.listen({ events: notes(30), is: [scripted([twice]), negDisabled()] })
  await using world = await syncWorld()
  const { state, progress } = await world.sync(peer.url)
  assert.equal(state, 'idle')
  assert.equal(progress?.counters?.accepted, 30)
  assert.deepEqual(await world.held(), peer.set.ids())
})

test('E-56 events that do not match the filter they come for are dropped, by page walk, negentropy and live', async () => {
  const wanted = { kinds: [1] }
  const strays = [author.write({ kind: 7, content: '+' }), newAuthor(() => start).write({ kind: 4 })]
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using peer = await ScriptPeer.listen({ events: notes(20), is: [foreign(...strays), ...is] })
    await using world = await syncWorld()
    const { state, reason } = await world.sync(peer.url, { filter: wanted })
    assert.equal(state, 'idle', `${reason}`)
    assert.deepEqual(await world.held(), peer.set.ids())
  }
})

test('E-56 a stray event on a live subscription is not stored either', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3), is: [negDisabled()] })
  await using world = await syncWorld()
  const staying = world.stay(peer.url, { filter: { kinds: [1] } })
  await staying.live
  const subscription = peer.sent('REQ').find(isLive)?.[1]
  const stray = author.write({ kind: 7, content: '+' })
  const fitting = author.write({ content: 'fits' })
  const arrived = new Promise<void>((resolve) =>
    world.events.onAccepted((events) => events.some(({ id }) => id === fitting.id) && resolve()),
  )
  peer.push(['EVENT', subscription, stray], ['EVENT', subscription, fitting])
  await arrived
  await staying.stop()
  const held = await world.held()
  assert.ok(held.includes(fitting.id))
  assert.ok(!held.includes(stray.id))
})

test('E-56 events for subscriptions that were never opened are dropped, and too many of them end the connection', async () => {
  const strays = notes(3_000, 1, author).map((event): Output => ['EVENT', 'nobody', event])
  await using peer = await ScriptPeer.listen({
    events: notes(10, 60, newAuthor()),
    is: [scripted([expect('REQ', (frame) => !isLive(frame)), send(...strays)]), negDisabled()],
  })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.notEqual(state, 'idle')
  assert.match(`${reason}`, /keeps sending/)
  assert.equal((await world.sync(peer.url)).state, 'idle')
  assert.deepEqual(await world.held(), peer.set.ids())
})
