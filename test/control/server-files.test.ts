import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notes } from '../helpers/notes.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { controlWorld, isLive, ok } from './control-world.ts'

test('E-21 what is exported and imported again is the same, progress included', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(4) })
  await using world = await controlWorld()
  const { sync } = world.node
  const body = { url: peer.url, filters: [{ kinds: [1] }, { kinds: [9] }], labels: { site: 'x' } }
  const { id } = ok(await sync.createRelay(body))
  await world.until(id, isLive)
  ok(await sync.createRelay({ url: 'wss://b.example', enabled: false, notes: 'later' }))
  ok(await sync.updateRelay(id, { filters: [{ kinds: [1] }] }))
  ok(await sync.stopServer(id))
  const before = ok(await sync.exportServers())
  const text = JSON.stringify(before)
  for (const server of ok(await sync.listServers())) ok(await sync.removeServer(server.id))
  const { imported, refused, restored } = ok(await sync.importServers(text))
  assert.deepEqual([imported.length, refused, restored], [2, [], 2])
  const after = ok(await sync.exportServers())
  assert.deepEqual(after.servers, before.servers)
  assert.deepEqual(after.profiles, before.profiles)
  for (const [name, links] of Object.entries(before.links)) {
    const key = ({ filter }: (typeof links)[number]) => JSON.stringify(filter)
    const sorted = (saved: typeof links) => saved.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    assert.deepEqual(sorted(after.links[name] ?? []), sorted(links))
    assert.equal(after.runtime[name]?.state, before.runtime[name]?.state)
  }
  assert.ok((await sync.states(id))[0]!.coverage.length > 0)
})

test('progress is not taken over into a store that lacks the events', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(4) })
  await using world = await controlWorld()
  const { id } = ok(await world.node.sync.createRelay({ url: peer.url }))
  await world.until(id, isLive)
  const text = JSON.stringify(ok(await world.node.sync.exportServers()))
  await using elsewhere = await controlWorld()
  const { imported, restored } = ok(await elsewhere.node.sync.importServers(text))
  assert.deepEqual([imported.length, restored], [1, 0])
  const { runtime } = await elsewhere.until(id, isLive)
  assert.equal(runtime.events_accepted, 4)
})

test('E-21 a file of version 2 gives servers with their state and cursor', async () => {
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const server = (id: string) => ({ id, url: `ws://${id}.example`, filters: [{ kinds: [5000] }] })
  const runtime = (state: string) => ({
    state,
    cursor_created_at: 1_700_000_000,
    cursor_event_id: 'ab'.repeat(32),
  })
  const file = {
    version: 2,
    servers: { a: server('a'), b: server('b') },
    runtime: { a: runtime('running'), b: runtime('stopped') },
  }
  const { imported, refused } = ok(await sync.importServers(JSON.stringify(file), { profile: 'open' }))
  assert.deepEqual(refused, [])
  assert.deepEqual(
    imported.map(({ id, runtime: r }) => [id, r.state, r.cursor_created_at, r.cursor_event_id]),
    [
      ['a', 'running', 1_700_000_000, 'ab'.repeat(32)],
      ['b', 'stopped', 1_700_000_000, 'ab'.repeat(32)],
    ],
  )
  await assert.rejects(sync.importServers('{'), { code: 'config/invalid' })
})

test('an entry whose id is an object with a toString of its own is refused, and the others are imported', async () => {
  await using world = await controlWorld()
  const text =
    '[{"id":{"toString":""},"url":{"toString":""}},{"id":"b","url":"wss://b.example","enabled":false}]'
  const { imported, refused } = ok(await world.node.sync.importServers(text, { profile: 'open' }))
  assert.deepEqual([imported.length, refused.map(({ at, name }) => [at, name])], [1, [[0, '']]])
})
