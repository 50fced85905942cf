import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes, start } from '../helpers/notes.ts'
import { clockSkewed } from '../helpers/script-peer/faults.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { capped } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const author = newAuthor(() => start)
const hour = 3_600

for (const [strategy, is] of [
  ['pages', [negDisabled(), capped(50)]],
  ['negentropy', [negStrfry()]],
] as const) {
  test(`E-63 by ${strategy}, what reaches the peer four hours late is found by the next full run`, async () => {
    await using peer = await ScriptPeer.listen({ events: notes(120), is })
    await using world = await syncWorld()
    assert.equal((await world.sync(peer.url)).state, 'idle')
    const late = author.write({ created_at: world.now() - 4 * hour, content: 'very late' })
    peer.publish(late)
    await world.clock.advance(60_000)
    assert.equal((await world.full(peer.url)).state, 'idle')
    assert.ok((await world.held()).includes(late.id))
  })

  for (const skew of [hour, -hour])
    test(`E-162 by ${strategy}, a clock that is off by ${skew} s loses nothing and makes no loop`, async () => {
      await using world = await syncWorld()
      await using peer = await ScriptPeer.listen({
        events: notes(20),
        is: [clockSkewed(skew), ...is],
        clock: world.clock,
      })
      const theirs = newAuthor(() => world.now() + skew)
      const ours = newAuthor(() => world.now())
      for (let round = 0; round < 6; round++) {
        peer.publish(theirs.write({ content: `theirs ${round}` }))
        await world.publish(ours.write({ content: `ours ${round}` }))
        const { state, reason } = await world.sync(peer.url, { direction: 'both' })
        assert.equal(state, 'idle', `${reason}`)
        await world.clock.advance(1_200_000)
      }
      await world.clock.advance(3 * hour * 1_000)
      assert.equal((await world.full(peer.url, { direction: 'both' })).state, 'idle')
      const settled = peer.frames
      assert.deepEqual(await world.held(), [...new Set([...(await world.held()), ...peer.set.ids()])].sort())
      // What our clock dated beyond its own was refused there as invalid: final, by its own word.
      if (skew > 0) assert.deepEqual(peer.set.ids(), await world.held())
      await world.sync(peer.url, { direction: 'both' })
      assert.ok(peer.frames - settled < 400, `${peer.frames - settled} frames for nothing new`)
    })
}
