import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { normalizeServer } from '../../src/planes/events/definition/normalize-server.ts'
import { notes } from '../helpers/notes.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { controlWorld, errorOf, isLive, ok } from './control-world.ts'

const filters = [{ kinds: [1] }, { kinds: [7] }]

test('E-12 E-13 what is put unchanged, and what is only shown, interrupts nothing', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  const before = await world.until(id, isLive)
  const sent = () => [peer.connections, peer.sent('REQ').length, peer.sent('CLOSE').length]
  const traffic = sent()
  ok(await sync.updateRelay(id, {}))
  const { runtime: _, ...definition } = before
  const again = ok(await sync.updateRelay(id, withoutId(definition)))
  assert.equal(again.runtime.updated_at, before.runtime.updated_at)
  const noted = ok(
    await sync.updateRelay(id, { notes: 'ours', metadata: { a: 1 }, labels: { site: 'x', name: 'home' } }),
  )
  assert.deepEqual([noted.notes, noted.metadata, noted.labels.name], ['ours', { a: 1 }, 'home'])
  await peer.quiet()
  assert.deepEqual(sent(), traffic)
  const { runtime } = ok(await sync.getServer(id))
  assert.deepEqual(
    [runtime.phase, runtime.events_received, runtime.reconnects],
    ['live', before.runtime.events_received, before.runtime.reconnects],
  )
})

test('E-14 of two filters only the changed one starts anew', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url, filters }))
  const allLive = (states: readonly { phase: string }[]) => states.every(({ phase }) => phase === 'live')
  const before = await world.untilStates(id, (states) => states.length === 2 && allLive(states))
  const subscriptions = () => peer.sent('REQ').filter(([, , filter]) => isLiveFilter(filter, [1])).length
  assert.equal(subscriptions(), 1)
  ok(await sync.updateRelay(id, { filters: [{ kinds: [1] }, { kinds: [9] }] }))
  const after = await world.untilStates(id, (states) => states.length === 2 && allLive(states))
  const kept = (states: typeof before) =>
    states.find(({ filter }) => JSON.stringify(filter) === '{"kinds":[1]}')
  assert.equal(kept(after)?.id, kept(before)?.id)
  assert.deepEqual(kept(after)?.coverage, kept(before)?.coverage)
  assert.equal(subscriptions(), 1)
  assert.ok(after.some(({ filter }) => JSON.stringify(filter) === '{"kinds":[9]}'))
})

test('E-11 a refused definition leaves the one before, its state and its connection as they are', async () => {
  await using peer = await ScriptPeer.listen()
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  const before = await world.until(id, isLive)
  const connections = peer.connections
  for (const body of [
    { filters: [] },
    { direction: 'sideways' },
    { url: 'http://x' },
    { mode: 7 },
    { foo: 1 },
  ])
    errorOf(await sync.updateRelay(id, body))
  errorOf(await sync.putServer({ id, url: peer.url }))
  const { runtime: _, ...definition } = before
  const { runtime: __, ...after } = ok(await sync.getServer(id))
  assert.deepEqual(after, definition)
  assert.deepEqual([peer.connections, peer.open], [connections, 1])
})

test('E-15 switched off it stops, switched on again it goes on from where it was', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  await world.until(id, isLive)
  const [before] = await sync.states(id)
  const off = ok(await sync.updateRelay(id, { enabled: false }))
  assert.deepEqual([off['enabled?'], off.runtime.state, off.runtime['connected?']], [false, 'stopped', false])
  await peer.until(({ open }) => open === 0)
  assert.deepEqual((await sync.states(id))[0]?.coverage, before?.coverage)
  ok(await sync.updateRelay(id, { enabled: true }))
  const on = await world.until(id, isLive)
  assert.equal(on.runtime.events_accepted, 5)
  assert.equal((await sync.states(id))[0]?.id, before?.id)
})

test('E-69 a filter that is taken out comes back with its coverage, within a week', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url, filters: [{ kinds: [1] }] }))
  await world.until(id, isLive)
  const [before] = await sync.states(id)
  assert.ok(before!.coverage.length > 0)
  ok(await sync.updateRelay(id, { filters: [{ kinds: [9] }], enabled: false }))
  const [other, ...none] = await sync.states(id)
  assert.deepEqual([other?.filter, other?.coverage, none], [{ kinds: [9] }, [], []])
  ok(await sync.updateRelay(id, { filters: [{ kinds: [1] }] }))
  const [back] = await sync.states(id)
  assert.deepEqual([back?.id, back?.coverage], [before?.id, before?.coverage])
})

test('E-18 servers are listed by id, each with its runtime; an unknown one is told apart from an error', async () => {
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  for (const host of ['c', 'a', 'b']) ok(await sync.createRelay({ url: `wss://${host}.example` }))
  const listed = ok(await sync.listServers())
  const ids = listed.map(({ id }) => id)
  assert.deepEqual(ids, ids.toSorted())
  for (const { id, runtime } of listed) assert.equal(runtime.server_id, id)
  assert.equal(errorOf(await sync.getServer('nobody')), 'unknown_server')
  assert.equal(errorOf(await sync.serverStats('nobody')), 'unknown_server')
  for (const call of [sync.startServer, sync.stopServer, sync.syncNow, sync.removeServer])
    assert.equal(errorOf(await call('nobody')), 'not_found')
  assert.equal(errorOf(await sync.getServer(7 as never)), 'invalid_server_id')
  assert.equal(errorOf(await sync.putServer('x')), 'invalid_server')
  assert.equal(errorOf(await sync.createRelay({ url: 'wss://a.example/' })), 'url_taken')
})

test('E-17 a damaged record is set aside, shown and not written over, and the others go on', async () => {
  await using world = await controlWorld({ start: false })
  const lost = ok(await world.node.sync.createRelay({ url: 'wss://lost.example' }))
  const bent = ok(await world.node.sync.createRelay({ url: 'wss://bent.example' }))
  const whole = ok(await world.node.sync.createRelay({ url: 'wss://whole.example' }))
  await world.close()
  using database = new DatabaseSync(join(world.folder, 'data', 'syncline.db'))
  const damage = database.prepare('UPDATE peers SET metadata = ? WHERE id = ?')
  damage.run('{"defin', lost.id)
  damage.run(
    JSON.stringify({ definition: { id: bent.id, url: 'http:' }, profile: 'open', manager: 'default' }),
    bent.id,
  )
  database.close()
  await world.restart()
  const { sync } = world.node
  assert.deepEqual(
    ok(await sync.listServers()).map(({ id }) => id),
    [whole.id],
  )
  const health = ok(await sync.syncHealth())
  assert.equal(health.status, 'degraded')
  assert.deepEqual(
    health.config_quarantined.map(({ id }) => id),
    [lost.id, bent.id].toSorted(),
  )
  for (const { id } of [lost, bent]) {
    assert.equal(errorOf(await sync.getServer(id)), 'config_quarantined')
    assert.equal(errorOf(await sync.startServer(id)), 'config_quarantined')
  }
  await world.restart()
  assert.equal(errorOf(await world.node.sync.getServer(lost.id)), 'config_quarantined')
  ok(await world.node.sync.removeServer(lost.id))
  assert.equal(errorOf(await world.node.sync.getServer(lost.id)), 'unknown_server')
})

test('a definition that names files it cannot use is refused by their field', async () => {
  await using world = await controlWorld({ start: false })
  const url = 'wss://a.example'
  const tls = { ca_certfile: join(world.folder, 'none.pem') }
  assert.equal(errorOf(await world.node.sync.createRelay({ url, tls })), 'invalid_tls_ca_certfile')
  assert.equal(errorOf(await world.node.sync.createRelay({ url, schedule: 'soon' })), 'invalid_schedule')
  assert.deepEqual(ok(await world.node.sync.listServers()), [])
})

test('E-1 what the control plane shows is a definition again, unchanged', async () => {
  await using world = await controlWorld({ start: false })
  const body = {
    url: 'wss://A.example',
    filters,
    direction: 'both',
    upload_filters: [{ kinds: [9] }],
    mode: 'poll',
  }
  const { runtime: _, ...shown } = ok(await world.node.sync.createRelay(body))
  const again = normalizeServer(JSON.parse(JSON.stringify(shown)), { profile: 'open' })
  assert.ok(again.ok)
  assert.deepEqual(again.value, shown)
})

function withoutId({ id: _, 'enabled?': enabled, ...rest }: Record<string, unknown>) {
  return { enabled, ...rest }
}

function isLiveFilter(filter: unknown, kinds: readonly number[]): boolean {
  const { kinds: asked, limit } = filter as { kinds?: readonly number[]; limit?: number }
  return limit === 0 && JSON.stringify(asked) === JSON.stringify(kinds)
}
