import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { notes, start } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { forging } from '../helpers/script-peer/faults.ts'
import type { AskedFilter } from '../helpers/script-peer/filter.ts'
import { negStrfry } from '../helpers/script-peer/negentropy.ts'
import { capped } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncChoice, type SyncWorld, syncWorld } from '../helpers/sync-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)

/** Seconds that are read again when a link goes on: specs events §2.19. */
const overlap = 300

/** How a peer tells what it has: each walk must keep what §8.4 promises. */
const strategies: readonly (readonly [string, readonly Personality[]])[] = [
  ['pages', [capped(50)]],
  ['negentropy', [negStrfry()]],
]

const historyRequests = (peer: ScriptPeer) =>
  peer
    .sent('REQ')
    .map(([, , filter]) => filter as AskedFilter)
    .filter(({ limit }) => limit !== 0)

async function synced(world: SyncWorld, peer: ScriptPeer, choice?: SyncChoice) {
  const run = await world.sync(peer.url, choice)
  assert.equal(run.state, 'idle', `${run.reason}`)
  return run.progress?.counters ?? {}
}

const covers = async (world: SyncWorld, peer: ScriptPeer, second: number, choice?: SyncChoice) =>
  ((await world.checkpoint(peer.url, choice))?.coverage ?? []).some(([a, b]) => a <= second && second <= b)

const top = async (world: SyncWorld, peer: ScriptPeer, choice?: SyncChoice) =>
  (await world.checkpoint(peer.url, choice))?.coverage.at(-1)?.[1] ?? 0

for (const [strategy, is] of strategies) {
  test(`E-63 by ${strategy}, what reaches the peer late is found: 200 s before the cursor by the next run`, async () => {
    await using peer = await ScriptPeer.listen({ events: notes(120), is })
    await using world = await syncWorld()
    await synced(world, peer)
    const late = author.write({ created_at: world.now() - 200, content: 'late' })
    peer.publish(late)
    await world.clock.advance(60_000)
    await synced(world, peer)
    assert.ok((await world.held()).includes(late.id))
  })

  test(`E-64 P-60 P-65 by ${strategy}, rejected events do not keep a range open`, async () => {
    const events = notes(120)
    const bad = new Set(events.slice(40, 60).map(({ id }) => id))
    await using peer = await ScriptPeer.listen({ events, is: [...is, forging(({ id }) => bad.has(id))] })
    await using world = await syncWorld()
    const counters = await synced(world, peer)
    assert.equal(counters.rejected, 20)
    assert.equal((await world.held()).length, 100)
    assert.deepEqual((await world.checkpoint(peer.url))?.coverage, [[0, world.now()]])
  })

  test(`E-64 by ${strategy}, what the store fails to take keeps its range open, and is fetched again`, async () => {
    const events = notes(120)
    await using folder = await temporaryFolder()
    await using peer = await ScriptPeer.listen({ events, is })
    await using world = await syncWorld({ folder: folder.path })
    const unlucky = events[10]!
    using broken = storeThatRefuses(folder.join('syncline.db'), unlucky.created_at)
    const run = await world.sync(peer.url)
    assert.notEqual(run.state, 'idle')
    assert.match(`${run.reason}`, /this disk is broken/)
    assert.ok(!(await covers(world, peer, unlucky.created_at)))
    broken.repair()
    await synced(world, peer)
    assert.deepEqual(await world.held(), peer.set.ids())
    assert.ok(await covers(world, peer, unlucky.created_at))
  })

  test(`E-65 E-162 by ${strategy}, what is dated ahead is not taken, moves no cursor, and comes when its time has come`, async () => {
    await using world = await syncWorld()
    const ahead = author.write({ created_at: world.now() + 3_600, content: 'an hour ahead' })
    const soon = author.write({ created_at: world.now() + 600, content: 'ten minutes ahead' })
    await using peer = await ScriptPeer.listen({ events: [...notes(20), ahead, soon], is })
    await synced(world, peer)
    assert.deepEqual(
      await world.held(),
      peer.set.ids().filter((id) => id !== ahead.id),
    )
    assert.ok((await top(world, peer)) <= world.now())
    await world.clock.advance(3_600_000)
    await synced(world, peer)
    assert.deepEqual(await world.held(), peer.set.ids())
  })

  test(`E-62 by ${strategy}, the filter's own since is never widened by going on`, async () => {
    await using world = await syncWorld()
    const since = world.now() - 100
    const events = [-500, -150, -99, -50, -1].map((offset) =>
      author.write({ created_at: world.now() + offset, content: `${offset}` }),
    )
    await using peer = await ScriptPeer.listen({ events, is })
    const choice = { filter: { since } }
    for (let run = 0; run < 3; run++) {
      await synced(world, peer, choice)
      await world.clock.advance(10_000)
    }
    assert.deepEqual(
      await world.held(),
      peer.set.ids().filter((id) => events.slice(2).some((e) => e.id === id)),
    )
    const asked = [
      ...historyRequests(peer),
      ...peer.sent('NEG-OPEN').map(([, , filter]) => filter as AskedFilter),
    ]
    for (const { since: from, ids } of asked)
      assert.ok(ids !== undefined || from! >= since, `asked since ${from}`)
  })

  test(`E-69 by ${strategy}, another filter starts with nothing, and going back to the first goes on`, async () => {
    const events = [...notes(60), ...notes(60).map((event) => author.write({ ...event, kind: 7 }))]
    await using peer = await ScriptPeer.listen({ events, is })
    await using world = await syncWorld()
    const [first, second] = [{ filter: { kinds: [1] } }, { filter: { kinds: [7] } }]
    await synced(world, peer, first)
    assert.equal(await world.checkpoint(peer.url, second), undefined)
    const counters = await synced(world, peer, second)
    assert.equal(counters.accepted, 60)
    assert.equal((await synced(world, peer, first)).received, 0)
  })

  test(`E-70 by ${strategy}, each filter of a peer covers for itself`, async () => {
    const events = [...notes(60), ...notes(60).map((event) => author.write({ ...event, kind: 7 }))]
    await using peer = await ScriptPeer.listen({ events, is })
    await using world = await syncWorld()
    const [one, seven] = [{ filter: { kinds: [1] } }, { filter: { kinds: [7] } }]
    await synced(world, peer, one)
    assert.ok(await covers(world, peer, start, one))
    assert.ok(!(await covers(world, peer, start, seven)))
    await synced(world, peer, seven)
    assert.deepEqual(await world.held(), peer.set.ids())
  })

  test(`E-72 by ${strategy}, the covered time never moves back, whatever happens in between`, async () => {
    await using peer = await ScriptPeer.listen({ events: notes(120), is })
    await using world = await syncWorld()
    let last = 0
    for (let run = 0; run < 6; run++) {
      if (run % 2 === 1) peer.cut()
      peer.publish(author.write({ created_at: world.now() - run * 100, content: `${run}` }))
      await synced(world, peer)
      const now = await top(world, peer)
      assert.ok(now >= last, `${last} → ${now}`)
      last = now
      await world.clock.advance(30_000)
    }
  })
}

test('E-62 a resumed page walk asks again for the overlap, and for nothing before it', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(120), is: [capped(50)] })
  await using world = await syncWorld()
  await synced(world, peer)
  const first = historyRequests(peer).length
  const covered = await top(world, peer)
  await world.clock.advance(60_000)
  await synced(world, peer)
  const resumed = historyRequests(peer).slice(first)
  assert.ok(resumed.length > 0)
  for (const { since = 0 } of resumed)
    assert.ok(
      since >= covered - overlap && since <= covered - overlap + 1,
      `since ${since}, covered ${covered}`,
    )
})

test('E-71 live events that come while history is fetched are stored once, and cover nothing that is open', async () => {
  const events = notes(200)
  await using world = await syncWorld()
  const live = author.write({ created_at: world.now(), content: 'live' })
  let pages = 0
  const interrupting: Personality = {
    connect: (connection) => ({
      answer: (frame) => {
        if (frame[0] !== 'REQ' || (frame[2] as AskedFilter).limit === 0) return undefined
        pages++
        if (pages === 1) {
          const [, subscription] = peer
            .sent('REQ')
            .find(([, , filter]) => (filter as AskedFilter).limit === 0)!
          connection.set.add(live)
          connection.push(['EVENT', subscription, live])
        }
        return pages === 3 ? ['cut'] : undefined
      },
    }),
  }
  await using peer = await ScriptPeer.listen({ events, is: [interrupting, capped(50)] })
  const staying = world.stay(peer.url)
  const run = await staying.finished
  assert.equal(run.state, 'waiting')
  assert.ok(!(await covers(world, peer, start)), 'the oldest page never came')
  const { received = 0, accepted = 0, duplicate = 0 } = run.progress?.counters ?? {}
  assert.equal(received, accepted + duplicate)
  assert.ok(duplicate <= 1, 'what came live came at most once more with its page')
  await synced(world, peer)
  assert.deepEqual(await world.held(), peer.set.ids())
})

/** A trigger in the store's own file refuses events of one second, as a full or failing disk would. */
function storeThatRefuses(path: string, second: number) {
  const database = new DatabaseSync(path)
  database.exec(`CREATE TRIGGER refuses BEFORE INSERT ON events WHEN NEW.created_at = ${second}
    BEGIN SELECT RAISE(FAIL, 'this disk is broken'); END`)
  return {
    repair: () => database.exec('DROP TRIGGER refuses'),
    [Symbol.dispose]: () => database.close(),
  }
}
