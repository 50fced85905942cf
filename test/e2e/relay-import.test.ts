import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { callCommand } from '../helpers/command.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const pin = { type: 'spki_sha256', value: Buffer.alloc(32, 7).toString('base64') }
const parrhesia = (id: string) => ({
  id,
  url: `wss://${id}.example/relay`,
  'enabled?': true,
  auth_pubkey: 'ab'.repeat(32),
  filters: [{ kinds: [5000] }],
  tls: { mode: 'required', pins: [pin] },
  metadata: { owner: id },
})

async function importing(folder: string, content: unknown, ...args: string[]) {
  const file = join(folder, 'servers.json')
  await writeFile(file, JSON.stringify(content))
  const data = join(folder, 'data')
  const result = await callCommand(['relay', 'import', file, '--data', data, '--json', ...args])
  return { ...result, data, report: result.code === 2 ? undefined : JSON.parse(result.stdout || 'null') }
}

const open = async (path: string) =>
  openNode(await loadConfig({ flags: { data: path, logLevel: 'error' } }), {})

test('E-21 the sync_servers.json of Parrhesia becomes relays that are kept', async () => {
  await using folder = await temporaryFolder()
  const file = {
    version: 2,
    servers: { a: parrhesia('a'), b: parrhesia('b') },
    runtime: { a: { state: 'running' }, b: { state: 'stopped' } },
  }
  const { code, report, data, stderr } = await importing(folder.path, file)
  assert.equal(code, 0, stderr)
  assert.equal(report.imported.length, 2)
  const list = JSON.parse((await callCommand(['relay', 'list', '--data', data, '--json'])).stdout)
  assert.deepEqual(
    list.map(({ states, ...relay }: (typeof list)[number]) => [
      relay.id,
      relay.runtime.state,
      relay.url,
      relay.metadata,
      states.map(({ direction, filter, live }: (typeof states)[number]) => [direction, filter, live]),
      relay.tls.pins,
    ]),
    [
      ['a', 'running', 'wss://a.example/relay', { owner: 'a' }, [['down', { kinds: [5000] }, true]], [pin]],
      ['b', 'stopped', 'wss://b.example/relay', { owner: 'b' }, [['down', { kinds: [5000] }, true]], [pin]],
    ],
  )
})

test('a definition that is wrong is refused by name; the others are taken', async () => {
  await using folder = await temporaryFolder()
  const { code, report } = await importing(folder.path, [
    parrhesia('a'),
    { url: 'wss://body.example', config: { event_kinds: [1] }, direction: 'both' },
    { url: 'http://x', foo: 1 },
    { id: 'x', url: 'wss://x' },
  ])
  assert.equal(code, 3)
  assert.equal(report.imported.length, 2)
  assert.deepEqual(report.imported[1].config, { event_kinds: [1] })
  const [body, loose] = report.refused
  assert.match(
    body.message,
    /^Url must be a valid WebSocket URL \(ws:\/\/ or wss:\/\/\); Foo is not a known attribute$/,
  )
  assert.match(loose.message, /auth_pubkey must be .*\(invalid_auth_pubkey\); filters .*; tls must be given/)
})

/** Puts definitions in the open profile, and tells what became of each with the state of its links. */
function putting(node: Node) {
  return async (server: object) => {
    const report = await node.sync.importServers(JSON.stringify(server), { profile: 'open' })
    assert.ok(report.ok)
    const [refused] = report.value.refused
    const [put] = report.value.imported
    if (put === undefined) throw new Error(refused?.message)
    return { put, states: await node.sync.states(put.id) }
  }
}

test('E-11 E-12 E-14 a definition put again changes what it changes and nothing else', async () => {
  await using folder = await temporaryFolder()
  await using node = await open(folder.path)
  const server = { id: 'a', url: 'wss://a.example', filters: [{ kinds: [1] }, { kinds: [7] }] }
  const put = (change: object) => putting(node)({ ...server, ...change })
  const first = await put({})
  assert.deepEqual(await put({}), first)
  await assert.rejects(put({ filters: [] }), /empty_filters/)
  assert.deepEqual(await node.sync.listServers(), { ok: true, value: [first.put] })

  const changed = await put({ filters: [{ kinds: [1] }, { kinds: [9] }], notes: 'x' })
  const ids = ({ states }: typeof first) =>
    new Map(states.map(({ filter, id }) => [JSON.stringify(filter), id]))
  assert.equal(ids(changed).get('{"kinds":[1]}'), ids(first).get('{"kinds":[1]}'))
  assert.deepEqual([...ids(changed).keys()].sort(), ['{"kinds":[1]}', '{"kinds":[9]}'])
  const polled = await put({ mode: 'poll' })
  assert.deepEqual(
    polled.states.map(({ live, schedule }) => [live, schedule]),
    [
      [false, null],
      [false, null],
    ],
  )
  const moved = await put({ url: 'wss://moved.example' })
  assert.ok(!polled.states.some(({ id }) => moved.states.some((now) => now.id === id)))
})

test('a relay changed by hand takes its definition again, and a body finds its relay by URL', async () => {
  await using folder = await temporaryFolder()
  await using node = await open(folder.path)
  const put = putting(node)
  const body = { url: 'wss://A.example', direction: 'up' }
  const first = await put(body)
  const byHand = await node.sync.updateRelay('wss://a.example', { direction: 'both' })
  assert.ok(byHand.ok)
  const [state] = await node.sync.states()
  assert.deepEqual([state?.direction, byHand.value.direction], ['both', 'both'])
  const again = await put(body)
  assert.equal(again.put.id, first.put.id)
  assert.deepEqual(
    again.states.map(({ direction }) => direction),
    ['up'],
  )
})

test('a file that cannot be read as definitions is one error', async () => {
  await using folder = await temporaryFolder()
  const { code, stderr } = await importing(folder.path, { version: 9, servers: {} })
  assert.equal(code, 1)
  assert.match(stderr, /only the versions 2 and 3 are known, not 9/)
})

test('the pins of a definition go with it, and a definition whose files cannot be read is refused', async () => {
  await using folder = await temporaryFolder()
  await using node = await open(folder.path)
  const server = { id: 'a', url: 'wss://a.example' }
  const put = (tls: object) => putting(node)({ ...server, tls })
  const tlsOf = ({ put: { tls } }: Awaited<ReturnType<typeof put>>) => ({
    hostname: tls.hostname,
    pins: tls.pins,
  })
  const pinned = { hostname: 'other.example', pins: [pin] }
  assert.deepEqual(tlsOf(await put(pinned)), pinned)
  await assert.rejects(put({ ca_certfile: join(folder.path, 'no.pem') }), /ca_certfile/)
  const there = await node.sync.getRelay('wss://a.example')
  assert.ok(there.ok)
  assert.deepEqual({ hostname: there.value.tls.hostname, pins: there.value.tls.pins }, pinned)
  assert.deepEqual(tlsOf(await put({})), { hostname: 'a.example', pins: [] })
})
