import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { notes, start } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { flaky, unsorted } from '../helpers/script-peer/faults.ts'
import type { AskedFilter } from '../helpers/script-peer/filter.ts'
import { capped, denseSecond, hinting } from '../helpers/script-peer/pages.ts'
import { cut, expect, reply, scripted } from '../helpers/script-peer/script.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncWorld, syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)

/** The engine takes no relay to hand out fewer events at once; a smaller page is the end of what there is. */
const smallestCap = 10

const peerOf = (events: readonly NostrEvent[], ...is: Personality[]) => ScriptPeer.listen({ events, is })

/** The history REQs a peer was asked, oldest first; subscriptions that stay ask for no stored events. */
const pagesOf = (peer: ScriptPeer) =>
  peer.sent('REQ').filter(([, , filter]) => (filter as AskedFilter).limit !== 0)

async function syncedOnce(world: SyncWorld, peer: ScriptPeer) {
  const run = await world.sync(peer.url)
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  return run
}

test('E-58 P-60 ten thousand events come through pages that are silently capped, and leave one interval', async () => {
  await using peer = await peerOf(notes(10_000), capped(100))
  await using world = await syncWorld()
  await syncedOnce(world, peer)
  const { coverage, gaps } = (await world.checkpoint(peer.url))!
  assert.deepEqual(coverage, [[0, world.now()]])
  assert.deepEqual(gaps, [])
})

test('E-59 a line that keeps breaking still brings everything, and each attempt goes on where the last one was cut', async () => {
  const events = notes(1_500)
  await using peer = await peerOf(events, capped(100), flaky(340))
  await using world = await syncWorld()
  let runs = 1
  while ((await world.sync(peer.url)).state !== 'idle') assert.ok(++runs < 20, 'it gets nowhere')
  assert.deepEqual(await world.held(), peer.set.ids())
  // Of 340 frames a few are questions and ends of pages, and one page may be lost and asked for again.
  assert.ok(runs <= Math.ceil(events.length / (340 - 100 - 20)) + 2, `${runs} attempts`)
})

test('E-60 P-44 a first page that is interrupted covers nothing', async () => {
  const events = notes(50)
  const half = reply(([, id, filter], { set }) =>
    set
      .matching(filter as AskedFilter)
      .slice(0, 25)
      .map((event) => ['EVENT', id, event]),
  )
  await using peer = await peerOf(events, scripted([expect('REQ'), half, cut()]))
  await using world = await syncWorld()
  const run = await world.sync(peer.url)
  assert.equal(run.state, 'waiting')
  assert.deepEqual((await world.checkpoint(peer.url))?.coverage ?? [], [])
  await syncedOnce(world, peer)
})

test('E-67 finish saves the question whether there is more', async () => {
  await using peer = await peerOf(notes(30), hinting(100))
  await using world = await syncWorld()
  await syncedOnce(world, peer)
  assert.equal(pagesOf(peer).length, 1)
})

test('E-67 without a hint, and with one nobody knows, the same page costs one question more', async () => {
  for (const words of [undefined, ['perhaps'], 'finish', [], { finish: true }]) {
    await using peer = await peerOf(notes(30), hinting(100, { finish: words, more: words }))
    await using world = await syncWorld()
    await syncedOnce(world, peer)
    assert.equal(pagesOf(peer).length, 2, JSON.stringify(words))
  }
})

test('E-67 more forces another question, also when a page brought nothing new', async () => {
  const events = notes(30)
  const oldest = events[0]!
  // The second page repeats the boundary alone and claims that there is more; only the third brings the rest.
  let asked = 0
  const stutter: Personality = {
    connect: () => ({
      answer: (frame) => {
        if (frame[0] !== 'REQ' || (frame[2] as AskedFilter).limit === 0) return undefined
        asked++
        const [, id] = frame
        if (asked === 1)
          return [
            ['EVENT', id, events[29]],
            ['EOSE', id, ['more']],
          ]
        if (asked === 2)
          return [
            ['EVENT', id, events[29]],
            ['EOSE', id, ['more']],
          ]
        return undefined
      },
    }),
  }
  await using peer = await peerOf(events, stutter)
  await using world = await syncWorld()
  await syncedOnce(world, peer)
  assert.ok(asked >= 3)
  assert.ok((await world.held()).includes(oldest.id))
})

test('E-68 a page shorter than what was asked for does not end the walk', async () => {
  await using peer = await peerOf(notes(200), capped(7))
  await using world = await syncWorld()
  await syncedOnce(world, peer)
})

test('E-68 E-66 P-60 P-61 pages of every length, in no order at all, lose nothing in silence', async () => {
  const random = fc.record({
    cap: fc.integer({ min: smallestCap, max: 40 }),
    seconds: fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 1, maxLength: 12 }),
    shuffled: fc.boolean(),
  })
  const run = async ({ cap, seconds, shuffled }: { cap: number; seconds: number[]; shuffled: boolean }) => {
    const events = seconds.flatMap((count, second) => notes(count, 0, author, start + second * 30))
    await using peer = await peerOf(events, capped(cap), ...(shuffled ? [unsorted()] : []))
    await using world = await syncWorld()
    const { state, reason } = await world.sync(peer.url)
    assert.equal(state, 'idle', `${reason}`)
    const held = new Set(await world.held())
    const { gaps } = (await world.checkpoint(peer.url))!
    const open = new Set(gaps.map(({ second }) => second))
    for (const { id, created_at } of events)
      assert.ok(held.has(id) || open.has(created_at), `second ${created_at} is neither whole nor a gap`)
  }
  await fc.assert(fc.asyncProperty(random, run), { numRuns: 25 })
})

test('E-66 a second that cannot be told apart is a gap on record, and what lies before and after it comes', async () => {
  const around = notes(40)
  await using peer = await peerOf(around, denseSecond(start + 1_234, 90, 20))
  await using world = await syncWorld()
  const run = await world.sync(peer.url)
  assert.equal(run.state, 'idle', `${run.reason}`)
  const held = new Set(await world.held())
  for (const { id } of around) assert.ok(held.has(id))
  const { gaps } = (await world.checkpoint(peer.url))!
  assert.deepEqual(
    gaps.map(({ second }) => second),
    [start + 1_234],
  )
})

test('E-66 P-60 a second that its kinds tell apart comes whole', async () => {
  const kinds = [1, 7, 16, 1_111, 1_063, 9_735]
  const events = kinds.flatMap((kind) =>
    Array.from({ length: 9 }, (_, i) => author.write({ kind, content: `${kind} ${i}` })),
  )
  await using peer = await peerOf([...notes(30), ...events], capped(20))
  await using world = await syncWorld()
  await syncedOnce(world, peer)
  assert.deepEqual((await world.checkpoint(peer.url))?.gaps, [])
})
