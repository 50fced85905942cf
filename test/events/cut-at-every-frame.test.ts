import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Direction } from '../../src/kernel/link.ts'
import { createInlineVerifier } from '../../src/planes/events/verifier.inline.ts'
import { idsOf, notes, start } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { cutAt } from '../helpers/script-peer/faults.ts'
import { negDisabled, negStrfry, negStrict } from '../helpers/script-peer/negentropy.ts'
import { capped, hinting } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncPages } from '../helpers/script-peer/sync-pages.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const theirs = notes(11)
const ours = notes(4, 90, newAuthor(), start + 7)
const shared = notes(3, 200, newAuthor(), start + 11)
const verifier = createInlineVerifier()

type Case = readonly [string, readonly Direction[], readonly Personality[], definition?: object]

/** Only a relay that is trusted is walked by its keyset pages. */
const trusted = { mode: 'sync_page', auth_pubkey: 'ab'.repeat(32), relay_info_mode: 'disabled' }
/** One window for all of time, or most frames would be of windows that have no events. */
const oneWindow = { mode: 'negentropy', negentropy: true, config: { negentropy_chunk_hours: 876_000 } }

const cases: readonly Case[] = [
  ['pages', ['down', 'up', 'both'], [negDisabled(), capped(10)]],
  ['pages with hints', ['down'], [negDisabled(), hinting(10)]],
  ['negentropy', ['down', 'up', 'both'], [negStrfry()], oneWindow],
  ['negentropy in small messages', ['both'], [negStrict()], oneWindow],
  ['SYNC-PAGE', ['down'], [syncPages({ maxLimit: 4 }), negDisabled()], trusted],
]

/** One sync, a second one when the line was cut, and what both made of the two sides. */
async function run(direction: Direction, [, , is, definition]: Case, cut: number) {
  const choice = { direction, ...(definition && { definition: { ...definition } }) }
  await using peer = await ScriptPeer.listen({ events: [...theirs, ...shared], is: [...is, cutAt(cut)] })
  await using world = await syncWorld({ verifier })
  await world.publish(...ours, ...shared)
  const first = await world.sync(peer.url, choice)
  const frames = peer.frames
  const second = cut === 0 ? first : await world.sync(peer.url, choice)
  const checkpoint = await world.checkpoint(peer.url, choice)
  return { first, second, frames, checkpoint, here: await world.held(), there: peer.set.ids() }
}

for (const one of cases)
  for (const direction of one[1])
    test(`E-59 E-131 ${direction} by ${one[0]}: cut at every frame in turn, the next attempt completes both sides`, async () => {
      const whole = await run(direction, one, 0)
      assert.equal(whole.first.state, 'idle', `${whole.first.reason}`)
      assert.deepEqual(
        whole.here,
        idsOf(direction === 'up' ? [...ours, ...shared] : [...ours, ...shared, ...theirs]),
      )
      assert.deepEqual(
        whole.there,
        idsOf(direction === 'down' ? [...theirs, ...shared] : [...ours, ...shared, ...theirs]),
      )
      for (let cut = 1; cut <= whole.frames; cut++) {
        const { first, second, here, there, checkpoint } = await run(direction, one, cut)
        assert.equal(second.state, 'idle', `cut at frame ${cut}: ${second.reason}`)
        assert.deepEqual(here, whole.here, `here, cut at frame ${cut}`)
        assert.deepEqual(there, whole.there, `there, cut at frame ${cut}`)
        assert.deepEqual(checkpoint?.coverage, whole.checkpoint?.coverage, `covered, cut at frame ${cut}`)
        const accepted = [first, second === first ? undefined : second].map(
          (attempt) => attempt?.progress?.counters?.accepted ?? 0,
        )
        if (first.state !== 'idle')
          assert.equal(
            (accepted[0] ?? 0) + (accepted[1] ?? 0),
            whole.here.length - ours.length - shared.length,
          )
      }
    })
