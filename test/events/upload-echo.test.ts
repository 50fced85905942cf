import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idsOf, notes } from '../helpers/notes.ts'
import { negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

test('E-132 what came from a relay is not offered back to it, also after a restart, and is offered to others', async () => {
  await using folder = await temporaryFolder()
  const events = notes(20)
  await using source = await ScriptPeer.listen({ events })
  await using other = await ScriptPeer.listen()
  {
    await using world = await syncWorld({ folder: folder.path })
    assert.equal((await world.sync(source.url)).state, 'idle')
  }
  await using world = await syncWorld({ folder: folder.path })
  const ours = newAuthor(() => world.now()).write({ content: 'ours' })
  await world.publish(ours)
  await world.sync(source.url, { direction: 'up' })
  assert.deepEqual(
    source.sent('EVENT').map(([, event]) => (event as { id: string }).id),
    [ours.id],
  )
  await world.sync(other.url, { direction: 'up' })
  assert.deepEqual(other.set.ids(), idsOf([...events, ours]))
})

test('E-130 what a link found at its begin goes up by comparison, and what arrives later in its order of arrival', async () => {
  const events = notes(40)
  await using peer = await ScriptPeer.listen({ events: events.slice(0, 30), is: [negStrfry()] })
  await using world = await syncWorld()
  await world.publish(...events)
  await world.sync(peer.url, { direction: 'up' })
  assert.deepEqual(peer.set.ids(), idsOf(events))
  assert.equal(peer.sent('EVENT').length, 10, 'only what it lacked')
  const checkpoint = await world.checkpoint(peer.url, { direction: 'up' })
  assert.deepEqual([checkpoint?.uploadSeq, checkpoint?.backlog], [40, undefined])
  const late = notes(
    3,
    60,
    newAuthor(() => world.now()),
    1_600_000_000,
  )
  await world.publish(...late.toReversed())
  await world.sync(peer.url, { direction: 'up' })
  const sent = peer.sent('EVENT').map(([, event]) => (event as { id: string }).id)
  assert.deepEqual(sent.slice(10).sort(), idsOf(late))
})

test('E-133 a refusal is remembered for thirty days, and then the event is offered once more', async () => {
  const refused = new Map<string, number>()
  await using peer = await ScriptPeer.listen({
    is: [
      {
        connect: () => ({
          answer: ([verb, event]) => {
            if (verb !== 'EVENT') return undefined
            const { id } = event as { id: string }
            refused.set(id, (refused.get(id) ?? 0) + 1)
            return [['OK', id, false, 'blocked: not today']]
          },
        }),
      },
    ],
  })
  await using world = await syncWorld()
  const note = notes(1)[0]!
  await world.publish(note)
  const choice = { direction: 'up' } as const
  await world.sync(peer.url, choice)
  await world.sync(peer.url, choice)
  assert.equal(refused.get(note.id), 1)
  assert.deepEqual(await world.outbox(peer.url, choice), { pending: 0, dead: 1 })
  await world.clock.advance(30 * 86_400_000 + 1_000)
  await world.sync(peer.url, choice)
  assert.equal(refused.get(note.id), 2)
  assert.deepEqual(await world.outbox(peer.url, choice), { pending: 0, dead: 1 })
})
