import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idsOf, notes, start } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { slow } from '../helpers/script-peer/faults.ts'
import type { AskedFilter } from '../helpers/script-peer/filter.ts'
import {
  neg2Way,
  negClosed,
  negCut,
  negDisabled,
  negLists,
  negMute,
  negRefusing,
  negStrfry,
  negStrict,
} from '../helpers/script-peer/negentropy.ts'
import { capped } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncWorld, syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)
const filterOf = (frame: readonly unknown[]) => frame[2] as AskedFilter
/** REQs that fetch what a reconciliation found. */
const fetches = (peer: ScriptPeer) =>
  peer
    .sent('REQ')
    .map(filterOf)
    .filter(({ ids }) => ids !== undefined)
/** REQs that walk. */
const pages = (peer: ScriptPeer) =>
  peer
    .sent('REQ')
    .map(filterOf)
    .filter(({ ids, limit }) => ids === undefined && limit !== 0)

async function synced(world: SyncWorld, peer: ScriptPeer, direction: 'down' | 'up' | 'both' = 'down') {
  const run = await world.sync(peer.url, { direction })
  assert.equal(run.state, 'idle', `${run.reason}`)
  return run.progress?.counters ?? {}
}

const responders = {
  neg2Way,
  negLists,
  negStrfry,
  negStrict,
  'strfry of small messages': () => negStrfry(1_000_000, 5_000),
}
for (const [name, responder] of Object.entries(responders))
  test(`E-116 the difference is found with ${name}, whatever both sides hold`, async () => {
    const [theirs, ours] = [notes(700, 30), notes(500, 47, newAuthor(), start + 3)]
    const shared = notes(900, 11, newAuthor(), start + 5)
    await using peer = await ScriptPeer.listen({ events: [...theirs, ...shared], is: [responder()] })
    await using world = await syncWorld()
    await world.publish(...ours, ...shared)
    await synced(world, peer, 'both')
    const all = idsOf([...theirs, ...ours, ...shared])
    assert.deepEqual(await world.held(), all)
    assert.deepEqual(peer.set.ids(), all)
  })

test('E-120 P-67 a set over the limit is reconciled in windows that fit, with and without the limit being told', async () => {
  for (const responder of [negStrfry(150), negStrict(150)]) {
    await using peer = await ScriptPeer.listen({ events: notes(1_000, 600), is: [responder] })
    await using world = await syncWorld()
    await synced(world, peer)
    assert.deepEqual(await world.held(), peer.set.ids())
    assert.equal(pages(peer).length, 0, 'without paging')
    assert.deepEqual((await world.checkpoint(peer.url))?.coverage, [[0, world.now()]])
  }
})

test('E-120 P-67 a window that is refused at the smallest size is paged', async () => {
  const crowd = notes(400, 0)
  await using peer = await ScriptPeer.listen({
    events: [...notes(100, 600, author, start - 90_000), ...crowd],
    is: [negStrfry(150)],
  })
  await using world = await syncWorld()
  await synced(world, peer)
  assert.deepEqual(await world.held(), peer.set.ids())
})

const refusals: Record<string, () => Personality> = {
  'a NOTICE': negDisabled,
  'a NOTICE about an unknown command': () => negDisabled('invalid: unknown command NEG-OPEN'),
  CLOSED: negClosed,
  'NEG-ERR blocked': () => negRefusing((id) => [['NEG-ERR', id, 'blocked: negentropy is disabled']]),
  'NEG-ERR without a prefix': () => negRefusing((id) => [['NEG-ERR', id, 'PROTOCOL-ERROR']]),
}
for (const [how, refusing] of Object.entries(refusals))
  test(`E-122 P-63 a peer that answers NEG-OPEN by ${how} is paged`, async () => {
    await using peer = await ScriptPeer.listen({ events: notes(60), is: [refusing(), capped(25)] })
    await using world = await syncWorld()
    await synced(world, peer)
    assert.deepEqual(await world.held(), peer.set.ids())
    assert.equal((await world.checkpoint(peer.url))?.strategy, 'req')
  })

test('E-122 P-63 a peer that says nothing to NEG-OPEN is paged after ten seconds', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(60), is: [negMute(), capped(25)] })
  await using world = await syncWorld()
  const running = synced(world, peer)
  await peer.until(() => peer.sent('NEG-OPEN').length > 0)
  await peer.quiet()
  await world.clock.advance(10_000)
  await running
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal((await world.checkpoint(peer.url))?.strategy, 'req')
})

test('E-122 a peer that hangs up when it is asked is paged by a later attempt', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(60), is: [negCut(), capped(25)] })
  await using world = await syncWorld()
  const run = await world.sync(peer.url)
  for (let next = run; next.state !== 'idle'; next = await world.sync(peer.url)) {
    assert.ok(peer.connections < 5, 'it is asked the same again and again')
    await world.clock.advance(next.dueAt! - world.clock.now())
  }
  assert.deepEqual(await world.held(), peer.set.ids())
})

test('E-124 P-44 a window is not covered when a batch of its events was never delivered', async () => {
  let withheld = true
  const withholding: Personality = {
    connect: () => ({
      answer: (frame) => (withheld && filterOf(frame)?.ids !== undefined ? [] : undefined),
    }),
  }
  const events = notes(60)
  await using peer = await ScriptPeer.listen({ events, is: [withholding, negStrfry()] })
  await using world = await syncWorld()
  const running = world.sync(peer.url)
  await peer.until(() => fetches(peer).length > 0)
  await peer.quiet()
  await world.clock.advance(30_000)
  const run = await running
  assert.equal(run.state, 'waiting', `${run.reason}`)
  const { coverage = [] } = (await world.checkpoint(peer.url)) ?? {}
  for (const { created_at } of events)
    assert.ok(!coverage.some(([from, to]) => from <= created_at && created_at <= to))
  withheld = false
  await synced(world, peer)
  assert.deepEqual(await world.held(), peer.set.ids())
})

test('E-125 P-64 what is refused for good is not fetched again, and the runs complete all the same', async () => {
  const [deleted, ...kept] = notes(12, 60, author)
  await using peer = await ScriptPeer.listen({ events: [deleted!, ...kept], is: [negStrfry()] })
  await using world = await syncWorld()
  await world.publish(author.write({ kind: 5, created_at: start + 5_000, tags: [['e', deleted!.id]] }))
  await synced(world, peer)
  assert.ok(!(await world.held()).includes(deleted!.id))
  const asked = fetches(peer).length
  for (let run = 0; run < 3; run++) {
    await world.clock.advance(60_000)
    await synced(world, peer)
  }
  assert.equal(fetches(peer).length, asked)
})

test('E-126 down publishes nothing, up stores nothing', async () => {
  for (const is of [[negStrfry()], [negDisabled(), capped(25)]]) {
    const [theirs, ours] = [notes(40), notes(30, 60, newAuthor())]
    await using peer = await ScriptPeer.listen({ events: theirs, is })
    await using world = await syncWorld()
    await world.publish(...ours)
    await synced(world, peer, 'up')
    assert.deepEqual(await world.held(), idsOf(ours))
    assert.deepEqual(peer.set.ids(), idsOf([...ours, ...theirs]))
    const published = peer.sent('EVENT').length
    await world.publish(...notes(3, 60, newAuthor()))
    await synced(world, peer, 'down')
    assert.equal(peer.sent('EVENT').length, published)
  }
})

test('E-127 where nothing is missing no REQ is sent, and no list of ids is ever empty', async () => {
  const shared = notes(40)
  await using peer = await ScriptPeer.listen({ events: shared, is: [negStrfry()] })
  await using world = await syncWorld()
  await world.publish(...shared)
  await synced(world, peer, 'both')
  assert.deepEqual(peer.sent('REQ'), [])
  peer.publish(...notes(5, 60, newAuthor()))
  await synced(world, peer, 'both')
  for (const { ids } of fetches(peer)) assert.ok(ids!.length > 0)
})

test('E-128 an answer with a known session id on another connection is not taken for ours', async () => {
  await using quiet = await ScriptPeer.listen({ events: notes(40), is: [negMute(), capped(25)] })
  await using world = await syncWorld()
  const waiting = synced(world, quiet)
  await quiet.until(() => quiet.sent('NEG-OPEN').length > 0)
  const session = quiet.sent('NEG-OPEN')[0]![1]
  // Ids are counted per connection, so the other peer is asked under the very same one; it answers twice as loud.
  const meddler: Personality = {
    connect: (connection) => ({
      answer: ([verb]) => {
        if (verb === 'NEG-OPEN') connection.push(['NEG-MSG', session, '61'], ['NEG-MSG', session, '61'])
        return undefined
      },
    }),
  }
  await using other = await ScriptPeer.listen({ events: notes(40), is: [meddler, negStrfry()] })
  await world.sync(other.url)
  await quiet.quiet()
  assert.equal(quiet.sent('NEG-CLOSE').length, 0, 'its session still waits')
  await world.clock.advance(10_000)
  await waiting
  assert.deepEqual(await world.held(), quiet.set.ids())
})

test('K8 a relay that lets the session go while its events are being fetched is asked again, within the same run', async () => {
  let messages = 0
  const forgetful: Personality = {
    connect: () => ({
      answer: ([verb, id]) =>
        verb === 'NEG-MSG' && ++messages === 1
          ? [['NEG-ERR', id, 'closed: negentropy session timed out']]
          : undefined,
    }),
  }
  const events = notes(2_000, 30)
  await using peer = await ScriptPeer.listen({ events, is: [forgetful, negStrfry()] })
  await using world = await syncWorld()
  await world.publish(...events.slice(0, 1_800))
  await synced(world, peer)
  assert.ok(messages > 0, 'there was a session to interrupt')
  assert.deepEqual(await world.held(), peer.set.ids())
})

test('a relay that ends every session at once is not asked for ever', async () => {
  const rude = negRefusing((id) => [['NEG-ERR', id, 'closed: too many sessions']])
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [rude] })
  await using world = await syncWorld()
  const run = await world.sync(peer.url)
  assert.ok(peer.sent('NEG-OPEN').length < 20)
  // Either it waits and says why, or it pages instead; it never reports a sync that found nothing.
  if (run.state === 'idle') assert.deepEqual(await world.held(), peer.set.ids())
  else assert.match(`${run.reason}`, /closed: too many sessions/)
})

test('K8 a relay with no room for another session is asked again later, and for no smaller a window', async () => {
  let refusals = 0
  const full: Personality = {
    connect: () => ({
      answer: ([verb, id]) =>
        verb === 'NEG-OPEN' && ++refusals <= 3
          ? [['NEG-ERR', id, 'blocked: too many negentropy sessions on this connection']]
          : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [full, negStrfry()] })
  await using world = await syncWorld()
  let ended = false
  const running = synced(world, peer).finally(() => {
    ended = true
  })
  while (!ended) {
    await peer.quiet()
    await world.clock.advance(1_000)
  }
  await running
  assert.deepEqual(await world.held(), peer.set.ids())
  const windows = peer.sent('NEG-OPEN').map((frame) => filterOf(frame))
  const [, refused, again] = windows.slice(0, 3)
  assert.deepEqual([again?.since, again?.until], [refused?.since, refused?.until])
})

test('P-66 what a relay names and does not hand out by ids is asked for twice, and then by the filter', async () => {
  const shy: Personality = {
    connect: () => ({
      answer: (frame) =>
        frame[0] === 'REQ' && filterOf(frame).ids !== undefined ? [['EOSE', frame[1]]] : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(30), is: [shy, negStrfry()] })
  await using world = await syncWorld()
  const counters = await synced(world, peer)
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(fetches(peer).length, 2, 'the same ids are not asked for again and again')
  assert.equal(counters.missing, 30)
  assert.ok(pages(peer).length > 0)
})

test('a slow relay is waited for, frame by frame', async () => {
  await using world = await syncWorld()
  await using peer = await ScriptPeer.listen({
    events: notes(10),
    is: [negStrfry(), slow(5_000)],
    clock: world.clock,
  })
  let ended = false
  const running = synced(world, peer).finally(() => {
    ended = true
  })
  while (!ended) {
    await peer.quiet()
    if (peer.waits) await world.clock.advance(5_000)
  }
  await running
  assert.deepEqual(await world.held(), peer.set.ids())
})
