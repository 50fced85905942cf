import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyEvent } from 'nostr-tools'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { notes, start } from '../helpers/notes.ts'
import { authFirst, authLate, authNever, authOptional, authRefusing } from '../helpers/script-peer/auth.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { negDisabled, negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'
import { newAuthor } from '../peers/author.ts'

const tagOf = ({ tags }: NostrEvent, name: string) => tags.find(([key]) => key === name)?.[1]
const requests = (peer: ScriptPeer, verb: string) =>
  peer.sent(verb).map((frame) => JSON.stringify(frame.slice(2)))

test('E-43 the challenge at open is answered once, by an event that names it and the relay', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [authFirst(), negStrfry()] })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.equal(state, 'idle', `${reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  const answers = peer.sent('AUTH').map(([, event]) => event as NostrEvent)
  assert.equal(answers.length, 1)
  const [event] = answers as [NostrEvent]
  assert.equal(event.kind, 22_242)
  assert.equal(event.pubkey, world.identity.pubkey)
  assert.equal(tagOf(event, 'challenge'), 'challenge-1')
  assert.equal(new URL(tagOf(event, 'relay') ?? '').href, peer.url)
  assert.equal(event.content, '')
  assert.equal(event.created_at, world.now())
  assert.ok(verifyEvent(structuredClone(event) as Parameters<typeof verifyEvent>[0]))
})

test('E-44 a REQ refused before the challenge is sent again exactly once after it', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [negDisabled(), authLate()] })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.equal(state, 'idle', `${reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(peer.sent('AUTH').length, 1)
  const history = requests(peer, 'REQ').filter((text) => !text.includes('"limit":0'))
  // The first page twice, for it was refused once; the second, which finds nothing new, once.
  const [refused, again, ...rest] = history
  assert.equal(refused, again)
  assert.ok(!rest.includes(refused ?? ''))
})

test('E-45 a relay that demands authentication and sends no challenge is a fault after 10 s, and is tried again later', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [negDisabled(), authNever()] })
  await using world = await syncWorld()
  const running = world.sync(peer.url)
  await peer.until(() => peer.sent('REQ').length > 0)
  await peer.quiet()
  await world.clock.advance(9_000)
  assert.equal(peer.open, 1, 'there is still time')
  await world.clock.advance(2_000)
  const { state, reason } = await running
  assert.match(`${reason}`, /no challenge/)
  assert.equal(state, 'waiting')
  await peer.until(() => peer.open === 0)
})

test('E-46 a relay that refuses our key does not keep a link connected and idle', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [authRefusing(), negDisabled()] })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.notEqual(state, 'idle')
  assert.match(`${reason}`, /not on the list/)
  await peer.until(() => peer.open === 0)
})

test('E-47 words that merely sound like authentication do not ask for it', async () => {
  const refusing: Personality = {
    connect: () => ({
      answer: ([verb, id]) => (verb === 'REQ' ? [['CLOSED', id, 'invalid: too many authors']] : undefined),
    }),
  }
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [refusing, negDisabled()] })
  await using world = await syncWorld()
  const { state, reason } = await world.sync(peer.url)
  assert.notEqual(state, 'idle')
  assert.match(`${reason}`, /too many authors/)
  assert.equal(peer.sent('AUTH').length, 0)
})

test('E-48 a second challenge is answered, and what is open stays open', async () => {
  const author = newAuthor(() => start)
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [authFirst(), negDisabled()] })
  await using world = await syncWorld()
  const staying = world.stay(peer.url)
  await staying.live
  const before = peer.sent('REQ').length
  peer.push(['AUTH', 'another challenge'])
  await peer.until(() => peer.sent('AUTH').length === 2)
  const [, second] = peer.sent('AUTH').map(([, event]) => event as NostrEvent)
  assert.equal(tagOf(second!, 'challenge'), 'another challenge')
  const arrived = arrivalOf(world.events)
  peer.publish(author.write({ content: 'after the second challenge' }))
  await arrived
  assert.equal(peer.sent('REQ').length, before)
  assert.equal(peer.connections, 1)
  assert.deepEqual(await world.held(), peer.set.ids())
  await staying.stop()
})

test('E-49 NEG-OPEN and EVENT that were refused for it are sent again after authentication', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(20), is: [authLate(), negStrfry()] })
  await using world = await syncWorld()
  const ours = notes(7, 60, newAuthor(), start + 1)
  await world.publish(...ours)
  const { state, reason } = await world.sync(peer.url, { direction: 'both' })
  assert.equal(state, 'idle', `${reason}`)
  assert.deepEqual(await world.held(), peer.set.ids())
  assert.equal(requests(peer, 'NEG-OPEN').filter((text) => text === requests(peer, 'NEG-OPEN')[0]).length, 2)
})

test('E-49 an EVENT that is the first thing refused is sent again, and every other one once', async () => {
  await using peer = await ScriptPeer.listen({ is: [negDisabled(), eventsOnly(authLate())] })
  await using world = await syncWorld()
  await world.publish(...notes(30))
  const { state, reason } = await world.sync(peer.url, { direction: 'up' })
  assert.equal(state, 'idle', `${reason}`)
  assert.deepEqual(peer.set.ids(), await world.held())
})

test('a relay that challenges and demands nothing is answered, for it may show more to those it knows', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [authOptional(), negDisabled()] })
  await using world = await syncWorld()
  assert.equal((await world.sync(peer.url)).state, 'idle')
  assert.equal(peer.sent('AUTH').length, 1)
})

/** Demands authentication for EVENT alone, as relays do that anybody may read. */
function eventsOnly(personality: Personality): Personality {
  return {
    connect: (connection) => {
      const inner = personality.connect(connection)
      return {
        ...inner,
        answer: (frame) => (frame[0] === 'EVENT' || frame[0] === 'AUTH' ? inner.answer?.(frame) : undefined),
      }
    },
  }
}

/** Resolves with the next event the store accepts. */
function arrivalOf(events: { onAccepted(listener: () => void): Disposable }): Promise<void> {
  return new Promise((resolve) => {
    const listener = events.onAccepted(() => {
      listener[Symbol.dispose]()
      resolve()
    })
  })
}

test('disabled never authenticates, and says what is missing', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5), is: [negDisabled(), authLate()] })
  await using world = await syncWorld()
  const definition = { auth: { type: 'nip42', mode: 'disabled' }, relay_info_mode: 'disabled' }
  const run = await world.sync(peer.url, { definition })
  assert.notEqual(run.state, 'idle')
  assert.equal(run.fault?.name, 'auth_required_but_disabled')
  assert.equal(peer.sent('AUTH').length, 0)
})
