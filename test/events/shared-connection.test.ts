import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes, start } from '../helpers/notes.ts'
import { authFirst } from '../helpers/script-peer/auth.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const choices = [{ filter: { kinds: [1] } }, { filter: { kinds: [7] } }] as const

test('links of one relay share one connection, one document and one authentication, and the last to leave closes it', async () => {
  const likes = [1, 2, 3].map((n) => newAuthor(() => start + n).write({ kind: 7, content: `${n}` }))
  await using peer = await ScriptPeer.listen({ events: [...notes(10), ...likes], is: [authFirst()] })
  await using world = await syncWorld()
  const links = choices.map((choice) => world.stay(peer.url, choice))
  await Promise.all(links.map(({ live }) => live))
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.deepEqual([peer.connections, peer.infoRequests.length, peer.sent('AUTH').length], [1, 1, 1])
  await links[0]?.stop()
  await peer.quiet()
  assert.equal(peer.open, 1, 'the other link still uses it')
  await links[1]?.stop()
  await peer.until(() => peer.open === 0)
})

test('E-51 P-49 P-50 a link that is refused what it asks for leaves the others of its connection working', async () => {
  const picky: Personality = {
    connect: () => ({
      answer: ([verb, id, filter]) =>
        verb === 'REQ' && JSON.stringify(filter).includes('[7]')
          ? [['CLOSED', id, 'restricted: no reactions for you']]
          : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(10), is: [picky] })
  await using world = await syncWorld()
  const [allowed, refused] = choices.map((choice) => world.stay(peer.url, choice))
  await allowed?.live
  const run = await refused?.finished
  assert.deepEqual([run?.state, run?.fault?.name, run?.fault?.permanent], ['waiting', 'restricted', true])
  const fresh = newAuthor(() => world.now()).write({ kind: 1, content: 'still here' })
  const stored = new Promise<void>((resolve) => world.events.onAccepted(() => resolve()))
  peer.publish(fresh)
  await stored
  assert.equal(peer.connections, 1)
  await allowed?.stop()
})

test('K8 a link that is stopped while it compares closes its session, for the connection stays with the others', async () => {
  const silent: Personality = {
    connect: () => ({
      answer: ([verb, , filter]) =>
        verb === 'NEG-OPEN' && JSON.stringify(filter).includes('[7]') ? [] : undefined,
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(10), is: [silent, negStrfry()] })
  await using world = await syncWorld()
  const [other, stopped] = choices.map((choice) => world.stay(peer.url, choice))
  await other?.live
  const opened = () => peer.sent('NEG-OPEN').find((frame) => JSON.stringify(frame).includes('[7]'))
  await peer.until(() => opened() !== undefined)
  await stopped?.stop()
  const [, session] = opened()!
  await peer.until(() => peer.sent('NEG-CLOSE').some(([, id]) => id === session))
  assert.equal(peer.open, 1)
  await other?.stop()
})
