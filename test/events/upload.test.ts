import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { runCommand, startCommand } from '../helpers/command.ts'
import { idsOf, notes, start } from '../helpers/notes.ts'
import type { Frame, Personality } from '../helpers/script-peer/behaviour.ts'
import { cutAt } from '../helpers/script-peer/faults.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { type SyncWorld, syncWorld } from '../helpers/sync-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)
const up = { direction: 'up' } as const
const offered = (peer: ScriptPeer) => peer.sent('EVENT').map(([, event]) => (event as NostrEvent).id)

/** Answers EVENT by its own OK, once for each id or always; undefined accepts. */
function verdicts(
  of: (event: NostrEvent, times: number) => readonly [accepted: boolean, reason: string] | undefined,
) {
  const times = new Map<string, number>()
  return {
    connect: () => ({
      answer: ([verb, subject]: Frame) => {
        if (verb !== 'EVENT') return undefined
        const event = subject as NostrEvent
        times.set(event.id, (times.get(event.id) ?? 0) + 1)
        const verdict = of(event, times.get(event.id) ?? 0)
        return verdict && [['OK', event.id, ...verdict] as const]
      },
    }),
  } satisfies Personality
}

async function synced(world: SyncWorld, peer: ScriptPeer, direction: 'up' | 'both' | 'down' = 'up') {
  const run = await world.sync(peer.url, { direction })
  assert.equal(run.state, 'idle', `${run.reason}`)
  return run.progress?.counters ?? {}
}

test('E-130 E-137 a thousand events go up in the order of their arrival, each offered and counted once, backdated ones among them', async () => {
  await using peer = await ScriptPeer.listen({ is: [negDisabled()] })
  await using world = await syncWorld()
  const first = notes(600, 30).toReversed()
  await world.publish(...first)
  const { uploaded } = await synced(world, peer)
  assert.equal(uploaded, 600)
  const backdated = notes(400, 30, newAuthor(), start - 1_000_000)
  await world.publish(...backdated)
  assert.equal((await synced(world, peer)).uploaded, 400)
  assert.deepEqual(
    offered(peer),
    [...first, ...backdated].map(({ id }) => id),
  )
  assert.deepEqual(peer.set.ids(), await world.held())
})

test('E-131 killed at any point of an upload, the next process offers what is left; duplicates count as done', async () => {
  const lines = notes(40).map((event) => JSON.stringify(event))
  for (const killAt of [1, 25]) {
    await using folder = await temporaryFolder()
    await using peer = await ScriptPeer.listen({ is: [negDisabled()] })
    assert.equal((await runCommand(['import', '--data', folder.path], lines.join('\n'))).code, 0)
    const args = ['sync', peer.url, '--dir', 'up', '--data', folder.path]
    const killed = startCommand(args)
    await peer.until(() => peer.sent('EVENT').length >= killAt)
    killed.child.kill('SIGKILL')
    await killed.result
    const { code, stderr } = await runCommand(args)
    assert.equal(code, 0, stderr)
    assert.equal(peer.set.size, lines.length)
  }
})

test('E-132 what came from a peer is not offered back to it, and is offered to the others', async () => {
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using from = await ScriptPeer.listen({ events: notes(20), is })
    await using other = await ScriptPeer.listen({ is })
    await using world = await syncWorld()
    const own = notes(3, 60, newAuthor())
    await world.publish(...own)
    await synced(world, from, 'both')
    assert.deepEqual(offered(from).toSorted(), idsOf(own))
    await synced(world, other, 'both')
    assert.deepEqual(other.set.ids(), await world.held())
    // In a run of its own, with nothing in memory of where things came from.
    await synced(world, from, 'both')
    assert.deepEqual(offered(from).toSorted(), idsOf(own))
  }
})

test('E-133 rate-limited pauses the whole link and loses nothing', async () => {
  const events = notes(30)
  let limited = 0
  const limiting = verdicts((_event, times) => {
    if (times > 1 || ++limited > 10) return undefined
    return [false, 'rate-limited: slow down']
  })
  await using peer = await ScriptPeer.listen({ is: [limiting, negDisabled()] })
  await using world = await syncWorld()
  await world.publish(...events)
  let ended = false
  const running = synced(world, peer).finally(() => {
    ended = true
  })
  while (!ended) {
    await peer.quiet()
    await world.clock.advance(100)
  }
  await running
  assert.ok(limited >= 10)
  assert.deepEqual(peer.set.ids(), await world.held())
  assert.deepEqual(await world.outbox(peer.url, up), { pending: 0, dead: 0 })
})

for (const reason of [
  'blocked: not this one',
  'invalid: too old',
  'restricted: members only',
  'pow: 28 bits needed',
])
  test(`E-133 ${reason.split(':')[0]} is final: a dead letter that is never offered again`, async () => {
    const [bad, ...good] = notes(10)
    const picky = verdicts(({ id }) => (id === bad!.id ? [false, reason] : undefined))
    for (const is of [
      [picky, negDisabled()],
      [picky, negStrfry()],
    ]) {
      await using peer = await ScriptPeer.listen({ is })
      await using world = await syncWorld()
      await world.publish(bad!, ...good)
      for (let run = 0; run < 3; run++) {
        await synced(world, peer)
        await world.clock.advance(600_000)
      }
      assert.equal(offered(peer).filter((id) => id === bad!.id).length, 1)
      assert.deepEqual(peer.set.ids(), idsOf(good))
      assert.deepEqual(await world.outbox(peer.url, up), { pending: 0, dead: 1 })
    }
  })

test('E-133 what gets no final answer is offered five times and no more, and the others are not held up', async () => {
  const [stubborn, ...good] = notes(10)
  const failing = verdicts(({ id }) =>
    id === stubborn!.id ? [false, 'error: database is locked'] : undefined,
  )
  await using peer = await ScriptPeer.listen({ is: [failing, negDisabled()] })
  await using world = await syncWorld()
  await world.publish(stubborn!, ...good)
  for (let run = 0; run < 12; run++) {
    await synced(world, peer)
    await world.clock.advance(3_600_000)
  }
  assert.equal(offered(peer).filter((id) => id === stubborn!.id).length, 5)
  assert.deepEqual(peer.set.ids(), idsOf(good))
  assert.deepEqual(await world.outbox(peer.url, up), { pending: 0, dead: 1 })
})

test('an event without an answer stays pending, visible, and leaves by success', async () => {
  const [event] = notes(1) as [NostrEvent]
  const shaky = verdicts((_event, times) => (times === 1 ? [false, 'error: try again'] : undefined))
  await using peer = await ScriptPeer.listen({ is: [shaky, negStrfry()] })
  await using world = await syncWorld()
  await world.publish(event)
  await synced(world, peer)
  assert.deepEqual(await world.outbox(peer.url, up), { pending: 1, dead: 0 })
  await world.clock.advance(3_600_000)
  await synced(world, peer)
  assert.deepEqual(peer.set.ids(), [event.id])
  assert.deepEqual(await world.outbox(peer.url, up), { pending: 0, dead: 0 })
})

test('an event that waits to be sent and is deleted meanwhile is owed no longer', async () => {
  const event = author.write()
  const failing = verdicts(({ kind }) => (kind === 1 ? [false, 'error: try again'] : undefined))
  await using peer = await ScriptPeer.listen({ is: [failing, negStrfry()] })
  await using world = await syncWorld()
  await world.publish(event)
  await synced(world, peer)
  assert.equal((await world.outbox(peer.url, up)).pending, 1)
  await world.publish(author.write({ kind: 5, created_at: start + 1, tags: [['e', event.id]] }))
  await synced(world, peer)
  assert.deepEqual(await world.outbox(peer.url, up), { pending: 0, dead: 0 })
})

test('E-134 a peer that never answers holds up neither the others nor what is taken in', async () => {
  const dead: Personality = { connect: () => ({ answer: () => [] }) }
  await using silent = await ScriptPeer.listen({ is: [dead] })
  await using lively = await ScriptPeer.listen({ is: [negDisabled()] })
  await using world = await syncWorld()
  await world.publish(...notes(20))
  const stuck = world.stay(silent.url, up)
  await silent.until(() => silent.received.length > 0)
  await synced(world, lively)
  await world.publish(...notes(20, 60, newAuthor()))
  await synced(world, lively)
  assert.deepEqual(lively.set.ids(), await world.held())
  await stuck.stop()
})

test('E-135 what must not leave does not: protected, expired and ephemeral events', async () => {
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using world = await syncWorld()
    await using peer = await ScriptPeer.listen({ is })
    const expires = author.write({ content: 'soon gone', tags: [['expiration', `${world.now() + 60}`]] })
    const kept = author.write({ content: 'kept' })
    const own = author.write({ tags: [['-']], content: 'not for others' })
    await world.publish(expires, kept)
    await world.putUnchecked(own)
    await world.publish(author.write({ kind: 20_001, content: 'passing' }))
    await world.clock.advance(61_000)
    await synced(world, peer)
    assert.deepEqual(peer.set.ids(), [kept.id])
    assert.deepEqual(offered(peer), [kept.id])
  }
})

test('E-136 one event sent to two peers at once: each OK counts for the one it came from', async () => {
  const event = author.write()
  const refusing = verdicts(() => [false, 'blocked: not here'])
  await using taker = await ScriptPeer.listen({ is: [negDisabled()] })
  await using refuser = await ScriptPeer.listen({ is: [refusing, negDisabled()] })
  await using world = await syncWorld()
  await world.publish(event)
  const [taken, refused] = await Promise.all([synced(world, taker), synced(world, refuser)])
  assert.deepEqual([taken.uploaded, taken.uploadRefused], [1, 0])
  assert.deepEqual([refused.uploaded, refused.uploadRefused], [0, 1])
  assert.deepEqual(await world.outbox(taker.url, up), { pending: 0, dead: 0 })
  assert.deepEqual(await world.outbox(refuser.url, up), { pending: 0, dead: 1 })
})

test('E-137 an upload that was cut counts each event once over all its attempts, whatever had to be said twice', async () => {
  for (const cut of [3, 9, 20, 33]) {
    await using peer = await ScriptPeer.listen({ is: [negDisabled(), cutAt(cut)] })
    await using world = await syncWorld()
    await world.publish(...notes(20))
    const counted = [await world.sync(peer.url, up), await world.sync(peer.url, up)].map(
      ({ progress }) => progress?.counters ?? {},
    )
    const done = counted.map(({ uploaded = 0, uploadDuplicate = 0 }) => uploaded + uploadDuplicate)
    assert.equal(peer.set.size, 20)
    assert.ok(counted[0]!.uploaded! + counted[1]!.uploaded! <= 20)
    assert.ok(done[0]! + done[1]! >= 20, `${done} of 20, cut at ${cut}`)
  }
})

test('E-135 a request to vanish from another relay does not leave, one that concerns all relays does', async () => {
  for (const is of [[negDisabled()], [negStrfry()]]) {
    await using world = await syncWorld()
    await using peer = await ScriptPeer.listen({ is })
    const elsewhere = author.write({ kind: 62, tags: [['relay', 'wss://elsewhere.example']] })
    const everywhere = newAuthor(() => start).write({ kind: 62, tags: [['relay', 'ALL_RELAYS']] })
    await world.putUnchecked(elsewhere, everywhere)
    const { state, reason } = await world.sync(peer.url, { direction: 'up' })
    assert.equal(state, 'idle', `${reason}`)
    assert.deepEqual(peer.set.ids(), [everywhere.id])
  }
})
