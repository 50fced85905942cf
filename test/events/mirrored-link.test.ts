import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { createSqliteEventHold } from '../../src/planes/events/event-hold.sqlite.ts'
import { repositoryRef } from '../helpers/git-events.ts'
import { idsOf, notes, start } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import type { AskedFilter } from '../helpers/script-peer/filter.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { capped } from '../helpers/script-peer/pages.ts'
import { cut, expect, reply, scripted } from '../helpers/script-peer/script.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncWorld, syncWorld } from '../helpers/sync-world.ts'
import { type Author, newAuthor } from '../peers/author.ts'

// Links as a profile makes them: of a relay nobody described, one for each filter of a chunk, down and live.
const ref = repositoryRef('tool')
const chunk = ['a', 'A', 'q'].map((tag) => ({ filter: { [`#${tag}`]: [ref] } }))
const [byAddress] = chunk

const issues = (author: Author, count: number, from = start, gap = 60): NostrEvent[] =>
  Array.from({ length: count }, (_, i) =>
    author.write({ kind: 1_621, created_at: from + i * gap, tags: [['a', ref]], content: `issue ${i}` }),
  )

const filterOf = ([, , filter]: readonly unknown[]) => filter as AskedFilter
/** What a peer was asked of its stored events, by REQ. */
const history = (peer: ScriptPeer) => peer.sent('REQ').filter((frame) => filterOf(frame).limit !== 0)
const lives = (peer: ScriptPeer) => peer.sent('REQ').filter((frame) => filterOf(frame).limit === 0)

async function whole(world: SyncWorld, peer: ScriptPeer) {
  const run = await world.sync(peer.url, byAddress)
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
}

for (const [way, is] of [
  ['negentropy', negStrfry()],
  ['pages', negDisabled()],
] as const)
  test(`P-36 P-39 P-68 by ${way}, a first connection asks for all of time, live with limit 0, and for nothing but its filter`, async () => {
    await using peer = await ScriptPeer.listen({ events: issues(newAuthor(), 30), is: [is] })
    await using world = await syncWorld()
    const links = chunk.map((choice) => world.stay(peer.url, choice))
    await Promise.all(links.map(({ live }) => live))
    assert.deepEqual(await world.held(), peer.set.ids())
    assert.deepEqual(
      lives(peer)
        .map((frame) => Object.keys(filterOf(frame))[0])
        .sort(),
      ['#A', '#a', '#q'],
    )
    const asked = [...peer.sent('REQ'), ...peer.sent('NEG-OPEN')].map(filterOf)
    for (const filter of asked) {
      // A comparison goes down to the first second in windows; a REQ is bounded by nothing.
      if (!peer.sent('NEG-OPEN').map(filterOf).includes(filter)) assert.equal(filter.since, undefined)
      assert.ok(filter.ids !== undefined || chunk.some((one) => Object.keys(one.filter)[0]! in filter))
    }
    for (const choice of chunk)
      assert.equal((await world.checkpoint(peer.url, choice))?.coverage[0]?.[0], 0, 'from the first second')
    assert.equal(peer.connections, 1, 'three filters of a chunk share a connection')
    await Promise.all(links.map((link) => link.stop()))
  })

test('P-47 P-40 a first history that was cut is asked for without since, one that was complete from before its end', async () => {
  const author = newAuthor()
  const half = reply(([, id, filter], { set }) =>
    set
      .matching(filter as AskedFilter)
      .slice(0, 10)
      .map((event) => ['EVENT', id, event]),
  )
  const first = [expect('REQ', (frame) => filterOf(frame).limit !== 0), half, cut()]
  await using peer = await ScriptPeer.listen({
    events: issues(author, 20),
    is: [scripted(first), negDisabled()],
  })
  await using world = await syncWorld()
  const broken = await world.stay(peer.url, byAddress).finished
  assert.equal(broken.state, 'waiting')
  const asked = history(peer).length
  const again = world.stay(peer.url, byAddress)
  await again.live
  assert.deepEqual(await world.held(), peer.set.ids())
  for (const frame of history(peer).slice(asked)) assert.equal(filterOf(frame).since, undefined)

  const top = (await world.checkpoint(peer.url, byAddress))!.coverage.at(-1)![1]
  peer.cut()
  await again.finished
  peer.set.add(issues(author, 1, world.now())[0]!)
  const before = history(peer).length
  const third = world.stay(peer.url, byAddress)
  await third.live
  assert.deepEqual(await world.held(), peer.set.ids())
  const since = history(peer)
    .slice(before)
    .map((frame) => filterOf(frame).since)
  assert.ok(since.length > 0)
  for (const from of since) assert.ok(from !== undefined && from <= top && from >= top - 300, `${from}`)
  await third.stop()
})

test('P-45 an EOSE for a live or an unknown subscription changes nothing', async () => {
  const author = newAuthor()
  await using peer = await ScriptPeer.listen({ events: issues(author, 10), is: [negStrfry()] })
  await using world = await syncWorld()
  const link = world.stay(peer.url, byAddress)
  await link.live
  const before = await world.checkpoint(peer.url, byAddress)
  const [, id] = lives(peer)[0]!
  peer.push(['EOSE', id], ['EOSE', 'nobody'], ['EOSE', id])
  await peer.quiet()
  assert.deepEqual(await world.checkpoint(peer.url, byAddress), before)
  const came = new Promise<void>((resolve) => world.events.onAccepted(() => resolve()))
  peer.publish(...issues(author, 1, world.now()))
  await came
  assert.equal(peer.connections, 1)
  await link.stop()
})

test('P-50 P-51 a live subscription that is closed is opened again, and what came meanwhile is looked for', async () => {
  const author = newAuthor()
  await using peer = await ScriptPeer.listen({ events: issues(author, 10), is: [negStrfry()] })
  await using world = await syncWorld()
  const link = world.stay(peer.url, byAddress)
  await link.live
  const [, id] = lives(peer)[0]!
  peer.push(['CLOSED', id, 'error: idle for too long'])
  await peer.quiet()
  const [missed] = issues(author, 1, world.now() - 1)
  peer.set.add(missed!)
  const came = new Promise<void>((resolve) => world.events.onAccepted(() => resolve()))
  await world.clock.advance(5_000)
  await came
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(lives(peer).length, 2)
  assert.equal(peer.connections, 1, 'the connection stays')
  await link.stop()
})

test('P-51 a history that is closed failed: nothing of it is covered, and it is asked for again', async () => {
  let refuses = true
  const refusing: Personality = {
    connect: () => ({
      answer: (frame) =>
        refuses && frame[0] === 'REQ' && filterOf(frame).limit !== 0
          ? [['CLOSED', frame[1], 'error: database is busy']]
          : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({
    events: issues(newAuthor(), 10),
    is: [refusing, negDisabled()],
  })
  await using world = await syncWorld()
  const run = await world.sync(peer.url, byAddress)
  assert.deepEqual([run.state, run.fault?.name], ['waiting', 'closed'])
  assert.deepEqual((await world.checkpoint(peer.url, byAddress))?.coverage ?? [], [])
  refuses = false
  await whole(world, peer)
})

test('P-52 a subscription without EOSE is ended by its deadline, and what it was for has failed', async () => {
  let mute = true
  const silent: Personality = {
    connect: () => ({
      answer: (frame) =>
        mute && frame[0] === 'REQ' && filterOf(frame).limit !== 0 ? [['NOTICE', 'one moment']] : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({ events: issues(newAuthor(), 10), is: [silent, negDisabled()] })
  await using world = await syncWorld()
  const running = world.sync(peer.url, byAddress)
  await peer.until(() => history(peer).length > 0)
  await peer.quiet()
  await world.clock.advance(120_000)
  const run = await running
  assert.equal(run.state, 'waiting')
  assert.deepEqual((await world.checkpoint(peer.url, byAddress))?.coverage ?? [], [])
  mute = false
  await whole(world, peer)
})

test('P-55 P-76 a relay that fails its very first connection is tried again later; its path does not make that a matter of TLS', async () => {
  const peer = await ScriptPeer.listen()
  await peer[Symbol.asyncDispose]()
  await using world = await syncWorld()
  const url = `${peer.url}openssl-certificate.git`
  const first = await world.stay(url, byAddress).finished
  assert.deepEqual(
    [first.state, first.fault?.code, first.fault?.permanent],
    ['waiting', 'peer/unreachable', false],
  )
  assert.doesNotMatch(`${first.fault?.name}`, /tls|pin/)
  assert.ok(first.dueAt! > world.clock.now())
  await world.clock.advance(first.dueAt! - world.clock.now())
  const second = await world.stay(url, byAddress).finished
  assert.ok(second.failures >= 2 && second.dueAt! - world.clock.now() > 0)
})

/** Asks for a rest with the first page it hands out. */
const tired = (): Personality => {
  let asked = false
  return {
    connect: () => ({
      bend: (outputs, frame) => {
        if (asked || frame?.[0] !== 'REQ' || filterOf(frame).limit === 0) return outputs
        asked = true
        return [['NOTICE', 'Slow down, please'], ...outputs]
      },
    }),
  }
}

test('P-62 P-74 a relay that asks for a rest by NOTICE is sent no REQ meanwhile, and then the next page once', async () => {
  await using peer = await ScriptPeer.listen({
    events: issues(newAuthor(), 60),
    is: [negDisabled(), tired(), capped(25)],
  })
  await using world = await syncWorld()
  const running = world.sync(peer.url, byAddress)
  await peer.until(() => history(peer).length === 1)
  await peer.quiet()
  await world.clock.advance(64_000)
  await peer.quiet()
  assert.equal(history(peer).length, 1)
  const other = world.sync(peer.url, chunk[1])
  await world.clock.advance(500)
  await peer.quiet()
  assert.equal(peer.sent('REQ').length, 1, 'the other links of the connection wait as well')
  await world.clock.advance(500)
  assert.equal((await running).state, 'idle')
  assert.equal((await other).state, 'idle')
  assert.deepEqual(await world.held(), peer.set.ids())
  const untils = history(peer)
    .filter((frame) => '#a' in filterOf(frame))
    .map((frame) => filterOf(frame).until)
  assert.equal(new Set(untils).size, untils.length, 'no page twice')
})

test('P-73 a connection that ends does not shorten the rest', async () => {
  await using peer = await ScriptPeer.listen({
    events: issues(newAuthor(), 60),
    is: [negDisabled(), tired(), capped(25)],
  })
  await using world = await syncWorld()
  const first = world.sync(peer.url, byAddress)
  await peer.until(() => history(peer).length === 1)
  await peer.quiet()
  await world.clock.advance(5_000)
  peer.cut()
  assert.equal((await first).state, 'waiting')
  const second = world.sync(peer.url, byAddress)
  await peer.until(() => peer.connections === 2)
  await world.clock.advance(59_000)
  await peer.quiet()
  assert.equal(history(peer).length, 1)
  await world.clock.advance(1_000)
  assert.equal((await second).state, 'idle')
  assert.deepEqual(await world.held(), peer.set.ids())
})

test('P-69 that a relay has no negentropy is remembered, and tried again after a day', async () => {
  await using peer = await ScriptPeer.listen({ events: issues(newAuthor(), 10), is: [negDisabled()] })
  await using world = await syncWorld()
  const asked: number[] = []
  for (const wait of [0, 3_600_000, 86_400_000]) {
    await world.clock.advance(wait)
    await whole(world, peer)
    asked.push(peer.sent('NEG-OPEN').length)
  }
  assert.deepEqual(asked, [1, 1, 2])
})

test('P-64 P-65 P-84 what is held counts as delivered: it is not fetched again, keeps nothing open and is read by nobody', async () => {
  const bounds = { maxEvents: 100, maxBytes: 1e6, maxPerAuthor: 100, coldSeconds: 604_800, maxCold: 100 }
  const author = newAuthor()
  const early = issues(author, 5, start + 10)
  const kept = notes(5, 60, author).map(({ created_at }) =>
    author.write({ kind: 1_618, created_at, tags: [['a', ref]] }),
  )
  await using peer = await ScriptPeer.listen({ events: [...early, ...kept], is: [negStrfry()] })
  await using world = await syncWorld({
    service: async ({ store, clock }) => ({
      hold: await createSqliteEventHold({ store, clock, bounds }),
      policy: ({ kind }) =>
        kind === 1_621
          ? { keys: [ref], seconds: 600, reason: 'restricted: not yet', accepted: false }
          : undefined,
    }),
  })
  const run = await world.sync(peer.url, byAddress)
  assert.equal(run.state, 'idle', `${run.reason}`)
  assert.deepEqual(await world.held(), idsOf(kept), 'stored is what is not held')
  assert.deepEqual((await world.checkpoint(peer.url, byAddress))?.coverage, [[0, world.now()]])
  const fetched = peer.sent('REQ').length
  await world.clock.advance(60_000)
  assert.equal((await world.full(peer.url, byAddress)).state, 'idle')
  assert.equal(peer.sent('REQ').length, fetched)
})
