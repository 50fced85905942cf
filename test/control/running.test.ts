import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLogger } from '../../src/telemetry/logger.ts'
import { runCommand } from '../helpers/command.ts'
import { notes } from '../helpers/notes.ts'
import { startNode } from '../helpers/running-node.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { controlWorld, errorOf, isLive, ok } from './control-world.ts'

/** Takes every frame and answers none. */
const mute: Personality = { connect: () => ({ answer: () => [] }) }

test('E-16 what a call returned is there after the process was killed', async () => {
  await using folder = await temporaryFolder()
  const data = folder.join('data')
  const urls = ['ws://127.0.0.1:9/a', 'ws://127.0.0.1:9/b', 'ws://127.0.0.1:9/c']
  for (const url of urls) {
    await using node = await startNode(data)
    const { code, stderr } = await runCommand(['relay', 'add', url, '--data', data])
    assert.equal(code, 0, stderr)
    await node.kill('SIGKILL')
  }
  const { stdout } = await runCommand(['relay', 'list', '--json', '--data', data])
  for (const url of urls) assert.ok(stdout.includes(url), `${url} is lost`)
})

test('E-23 stop closes the connection and nothing is taken from it any more; start connects again', async () => {
  const events = notes(4, 1, undefined, Math.floor(Date.now() / 1_000) - 60)
  await using peer = await ScriptPeer.listen({ events: events.slice(0, 2) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  await world.until(id, isLive)
  ok(await sync.stopServer(id))
  await peer.until(({ open }) => open === 0)
  peer.publish(...events.slice(2))
  const stopped = ok(await sync.getServer(id)).runtime
  assert.deepEqual(
    [stopped.state, stopped['connected?'], stopped.phase, stopped.events_accepted, stopped['connected?']],
    ['stopped', false, 'stopped', 2, false],
  )
  assert.ok(stopped.last_disconnected_at !== null)
  ok(await sync.startServer(id))
  const { runtime } = await world.until(
    id,
    (server) => isLive(server) && server.runtime.events_accepted === 4,
  )
  assert.deepEqual([runtime.state, runtime.last_error, runtime.fault], ['running', null, null])
})

test('E-24 E-30 stopped stays stopped over a restart, running runs again, and counts go on', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3) })
  await using other = await ScriptPeer.listen()
  await using world = await controlWorld()
  const runs = ok(await world.node.sync.createRelay({ url: peer.url })).id
  const rests = ok(await world.node.sync.createRelay({ url: other.url })).id
  await world.until(runs, isLive)
  await world.until(rests, isLive)
  ok(await world.node.sync.stopServer(rests))
  const before = ok(await world.node.sync.serverStats(runs))
  await world.restart()
  const after = await world.until(runs, isLive)
  assert.ok(after.runtime.events_received >= before.events_received)
  assert.equal(after.runtime.events_accepted, 3)
  assert.equal(ok(await world.node.sync.serverStats(rests)).state, 'stopped')
  assert.deepEqual([other.open, other.connections], [0, 1])
})

test('E-25 a sync asked for on a live link closes its subscription and opens another one', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(2) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  const before = (await world.until(id, isLive)).runtime
  ok(await sync.syncNow(id))
  const { runtime } = await world.until(
    id,
    (server) => isLive(server) && server.runtime.query_runs > before.query_runs,
  )
  assert.equal(runtime.subscription_restarts, before.subscription_restarts + 1)
  assert.equal(runtime.query_runs, before.query_runs + 1)
  const live = peer.received.filter(({ frame: [verb, , filter] }) => verb === 'REQ' && isLimitZero(filter))
  const [first, second] = live.map(({ frame }) => frame)
  assert.equal(live.length, 2)
  const places = [
    ['CLOSE', first?.[1]],
    ['REQ', second?.[1]],
  ].map(([verb, sub]) => peer.received.findIndex(({ frame }) => frame[0] === verb && frame[1] === sub))
  assert.ok(places[0]! >= 0 && places[0]! < places[1]!, `CLOSE at ${places[0]}, REQ at ${places[1]}`)
  assert.equal(peer.connections, 1)
})

test('a part of time is looked at again when asked, whatever was covered', async () => {
  const events = notes(6)
  await using peer = await ScriptPeer.listen({ events: events.slice(0, 5) })
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url, mode: 'poll' }))
  ok(await sync.syncNow(id, { wait: true }))
  peer.set.add(events[5]!)
  ok(await sync.syncNow(id, { wait: true, mode: 'backfill' }))
  const accepted = async () => ok(await sync.serverStats(id)).events_accepted
  assert.equal(await accepted(), 5, 'what arrives late and old is behind the coverage')
  const { created_at: at } = events[5]!
  ok(await sync.syncNow(id, { wait: true, since: at - 10, until: at + 10 }))
  assert.equal(await accepted(), 6)
  assert.equal(errorOf(await sync.syncNow(id, { since: 5, until: 4 })), 'invalid_range')
  assert.equal(errorOf(await sync.syncNow(id, { mode: 'sideways' as never })), 'invalid_mode')
})

test('E-26 a sync asked for while it backs off begins at once, and the backoff is forgotten', async () => {
  const flags = { syncRetryInitialSeconds: 3_600, syncRetryMaxSeconds: 3_600 }
  await using world = await controlWorld({ flags })
  await using peer = await ScriptPeer.listen({ is: [refusingFirst()] })
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url, config: { backfill_since_hours: 876_000 } }))
  const waiting = await world.until(id, ({ runtime }) => runtime.next_retry_at !== null)
  assert.ok(waiting.runtime.reconnect_attempts >= 1)
  assert.ok(Date.parse(waiting.runtime.next_retry_at!) > Date.now() + 60_000)
  ok(await sync.syncNow(id))
  const { runtime } = await world.until(id, isLive)
  assert.deepEqual([runtime.reconnect_attempts, runtime.next_retry_at, runtime.last_error], [0, null, null])
})

test('E-27 P-57 ten syncs asked for at once are at most two runs', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3) })
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url, mode: 'poll' }))
  const asked = await Promise.all(Array.from({ length: 10 }, () => sync.syncNow(id, { wait: true })))
  for (const result of asked) ok(result)
  const runs = await sync.runs(id)
  assert.ok(runs.length >= 1 && runs.length <= 2, `${runs.length} runs`)
  for (const run of runs) assert.equal(run.outcome, 'caught-up')
})

test('E-28 removed during a run it leaves no run, no checkpoint and no count', async () => {
  await using peer = await ScriptPeer.listen({ is: [mute] })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  await peer.until(({ received }) => received.length > 0)
  ok(await sync.removeServer(id))
  await peer.until(({ open }) => open === 0)
  assert.equal(errorOf(await sync.getServer(id)), 'unknown_server')
  assert.deepEqual([await sync.states(), await sync.runs(id), await sync.metrics()], [[], [], []])
  assert.deepEqual(ok(await sync.syncStats()).events_received, 0)
  assert.equal(errorOf(await sync.removeServer(id)), 'not_found')
})

test('E-29 E-31 received is accepted, duplicate and rejected; the aggregate is the sum', async () => {
  const events = notes(6)
  await using first = await ScriptPeer.listen({ events })
  await using second = await ScriptPeer.listen({ events: events.slice(0, 4) })
  await using world = await controlWorld()
  const { sync } = world.node
  for (const { url } of [first, second]) {
    const { id } = ok(await sync.createRelay({ url }))
    await world.until(id, isLive)
  }
  const servers = ok(await sync.listServers())
  for (const { runtime: r } of servers)
    assert.equal(r.events_received, r.events_accepted + r.events_duplicate + r.events_rejected)
  const stats = await Promise.all(servers.map(async ({ id }) => ok(await sync.serverStats(id))))
  const sums = ok(await sync.syncStats())
  const counts = ['events_received', 'events_accepted', 'events_duplicate', 'events_rejected'] as const
  for (const name of [...counts, 'query_runs', 'subscription_restarts', 'reconnects'] as const)
    assert.equal(
      sums[name],
      stats.reduce((total, one) => total + one[name], 0),
      name,
    )
  assert.deepEqual(
    [
      sums.servers_total,
      sums.servers_enabled,
      sums.servers_running,
      sums.servers_connected,
      sums.events_accepted,
    ],
    [2, 2, 2, 2, 6],
  )
})

test('E-33 stop, start, put and remove return although the relay never answers', {
  timeout: 60_000,
}, async () => {
  await using peer = await ScriptPeer.listen({ is: [mute] })
  await using world = await controlWorld()
  const { sync } = world.node
  const body = { url: peer.url, filters: [{ kinds: [1] }, { kinds: [2] }, { kinds: [3] }] }
  const { id } = ok(await sync.createRelay(body))
  await peer.until(({ received }) => received.length >= 3)
  ok(await sync.stopServer(id))
  ok(await sync.startServer(id))
  ok(await sync.updateRelay(id, { overlap_window_seconds: 300, negentropy: true }))
  ok(await sync.removeServer(id))
  await peer.until(({ open }) => open === 0)
})

test('E-34 every time is in UTC with seconds', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(2) })
  await using world = await controlWorld()
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  const server = await world.until(id, isLive)
  const shown = [server.runtime, ...(await sync.states(id)), ...(await sync.runs(id))]
  const times = shown.flatMap((one) => Object.entries(one).filter(([name]) => name.endsWith('_at')))
  const given = times.filter(([name, value]) => value !== null && name !== 'cursor_created_at')
  assert.ok(given.length >= 6)
  for (const [name, value] of given) assert.match(String(value), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, name)
})

test('E-19 two managers of a node do not see each other and may use the same ids', async () => {
  await using world = await controlWorld({ start: false })
  const { sync } = world.node
  const server = (host: string) => ({
    id: 'a',
    url: `ws://${host}.example`,
    auth_pubkey: 'ab'.repeat(32),
    filters: [{}],
    tls: { mode: 'disabled' },
  })
  for (const manager of ['one', 'two']) ok(await sync.putServer(server(manager), { manager }))
  ok(await sync.stopServer('a', { manager: 'one' }))
  const urls = async (name: string) => ok(await sync.listServers({ name })).map(({ url }) => url)
  assert.deepEqual([await urls('one'), await urls('two')], [['ws://one.example'], ['ws://two.example']])
  const state = async (manager: string) => ok(await sync.getServer('a', { manager })).runtime.state
  assert.deepEqual([await state('one'), await state('two')], ['stopped', 'running'])
  assert.equal(errorOf(await sync.getServer('a')), 'unknown_server')
  assert.deepEqual(ok(await sync.listServers()), [])
  ok(await world.node.manager('two').removeServer('a'))
  assert.deepEqual(ok(await world.node.manager('two').listServers()), [])
  assert.equal(ok(await world.node.manager('one').syncStats()).servers_total, 1)
  assert.equal(errorOf(await sync.getServer('a', { manager: 'a/b' })), 'invalid_manager')
})

test('E-22 no secret is shown, listed, exported, logged or told in an error', async () => {
  const lines: string[] = []
  const log = createLogger({ level: 'debug', output: { write: (line) => lines.push(line) } })
  await using peer = await ScriptPeer.listen({ events: notes(1) })
  await using world = await controlWorld({ log })
  const { sync } = world.node
  const { id } = ok(await sync.createRelay({ url: peer.url }))
  await world.until(id, isLive)
  const secret = (await readFile(join(world.folder, 'data', 'identity.key'), 'utf8')).trim()
  const refused = await sync.createRelay({ url: 'wss://x.example', auth: { token: secret } })
  const shown = [
    ok(await sync.updateRelay(id, { notes: null })),
    await sync.listServers(),
    await sync.getServer(id),
    await sync.syncHealth(),
    await sync.states(),
    await sync.runs(id),
    await world.node.status(),
    lines,
  ]
  assert.match(secret, /^[0-9a-f]{64}$/)
  errorOf(refused)
  assert.ok(!JSON.stringify(shown).includes(secret))
})

/** Cuts the first connection, as a relay that is restarting. */
function refusingFirst(): Personality {
  return { connect: ({ number }) => ({ cuts: () => number === 1 }) }
}

function isLimitZero(filter: unknown): boolean {
  return (filter as { readonly limit?: number }).limit === 0
}
