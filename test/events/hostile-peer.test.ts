import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { idsOf, notes, start } from '../helpers/notes.ts'
import type { Output, Personality } from '../helpers/script-peer/behaviour.ts'
import { forging } from '../helpers/script-peer/faults.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { lying } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const strategies: readonly (readonly [string, Personality])[] = [
  ['pages', negDisabled()],
  ['negentropy', negStrfry()],
]

/** Sends these events as `change` makes them. */
const changing = (chosen: NostrEvent, change: (event: NostrEvent) => object): Personality =>
  lying((events) =>
    events.map((frame) => {
      const event = frame[2] as NostrEvent
      return event.id === chosen.id ? (['EVENT', frame[1], change(event)] as const) : frame
    }),
  )

for (const [strategy, is] of strategies) {
  test(`N1 E-161 by ${strategy}, forged and damaged events are refused and counted; the genuine ones beside them are kept`, async () => {
    const events = notes(40)
    const [forged, damaged, swapped] = events as [NostrEvent, NostrEvent, NostrEvent]
    await using peer = await ScriptPeer.listen({
      events,
      is: [
        is,
        forging(({ id }) => id === forged.id),
        changing(damaged, (event) => ({ ...event, content: 'changed on the way' })),
        changing(swapped, (event) => ({ ...event, pubkey: newAuthor().pubkey })),
      ],
    })
    await using world = await syncWorld()
    const run = await world.sync(peer.url)
    assert.equal(run.state, 'idle', `${run.reason}`)
    assert.deepEqual(await world.held(), idsOf(events.slice(3)))
    assert.equal(run.progress?.counters?.rejected, 3)
    assert.notEqual(run.proof?.equal, true, 'K14 it does not claim to be in step')
  })
}

for (const [strategy, is] of strategies) {
  test(`E-161 by ${strategy}, a flood of a hundred times what was asked costs no more than what was asked`, async () => {
    const events = notes(10)
    const stranger = newAuthor(() => start)
    const flood = Array.from({ length: 1_000 }, (_, i) => stranger.write({ kind: 7, content: `${i}` }))
    const flooding = lying((answers) => [
      ...flood.map((event): Output => ['EVENT', answers[0]?.[1], event]),
      ...answers,
    ])
    await using peer = await ScriptPeer.listen({ events, is: [is, flooding] })
    await using world = await syncWorld()
    const { state, reason } = await world.sync(peer.url, { filter: { kinds: [1] } })
    assert.ok(state === 'idle' || state === 'waiting', `${reason}`)
    const wanted = new Set(idsOf(events))
    for (const id of await world.held()) assert.ok(wanted.has(id), 'nothing but what was asked for')
  })
}

test('T-MAL-7 events that are offered and never delivered are counted as missing, and the sync ends', async () => {
  const events = notes(30)
  const withheld = new Set(idsOf(events.slice(0, 4)))
  const withholding = lying((answers) =>
    answers.filter(([, , event]) => !withheld.has((event as NostrEvent).id)),
  )
  await using peer = await ScriptPeer.listen({ events, is: [negStrfry(), withholding] })
  await using world = await syncWorld()
  const { state, reason, progress } = await world.sync(peer.url)
  assert.equal(state, 'idle', `${reason}`)
  assert.deepEqual(await world.held(), idsOf(events.slice(4)))
  assert.equal(progress?.counters?.missing, 4)
})

test('a relay that keeps sending what no client understands is given up as broken, and only for now', async () => {
  const noise = Array.from({ length: 2_000 }, (_, i): Output => ['NOISE', i])
  const noisy: Personality = {
    connect: ({ number }) => ({ bend: (outputs) => (number === 1 ? [...noise, ...outputs] : outputs) }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [noisy, negStrfry()] })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.equal(state, 'waiting')
  assert.match(`${reason}`, /keeps sending/)
  assert.equal((await world.sync(peer.url)).state, 'idle')
  assert.deepEqual(await world.held(), peer.set.ids())
})
