import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes, start } from '../helpers/notes.ts'
import type { Output, Personality } from '../helpers/script-peer/behaviour.ts'
import { forging } from '../helpers/script-peer/faults.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { lie, scripted, send } from '../helpers/script-peer/script.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)

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
