import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import type { Direction } from '../../src/kernel/link.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { allHistoryHours } from '../../src/node/sync/on-demand.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { notes, start } from '../helpers/notes.ts'
import { negStrfry } from '../helpers/script-peer/negentropy.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const patience = () => AbortSignal.timeout(60_000)

async function nodeIn(data: string): Promise<Node> {
  return openNode(await loadConfig({ flags: { data, port: '0' } }), { log: silentLogger })
}

async function publish(node: Node, ...events: readonly NostrEvent[]): Promise<void> {
  async function* lines() {
    for (const event of events) yield JSON.stringify(event)
  }
  await node.import(lines(), { verify: true, signal: patience(), onProgress: () => {} })
}

async function sync(node: Node, url: string, direction: Direction) {
  const request = { url, direction, filter: {}, live: false } as const
  const { run } = await node.syncOnce(request, { signal: patience(), onProgress: () => {} })
  assert.equal(run.state, 'idle', `${run.reason}`)
  return run
}

async function held(node: Node): Promise<string[]> {
  const ids: string[] = []
  for await (const raw of node.export({})) ids.push((JSON.parse(raw) as NostrEvent).id)
  return ids.sort()
}

const holds = async (node: Node, ids: readonly string[]) => {
  for (const id of ids) if ((await node.count({ ids: [id] })).count !== 1) return false
  return true
}

/** Resolves when the node holds all of these; woken by its store. */
async function untilHeld(node: Node, ...events: readonly NostrEvent[]): Promise<void> {
  const ids = events.map(({ id }) => id)
  const signal = patience()
  const changed = new EventEmitter()
  using _listener = node.events.onAccepted(() => changed.emit('accepted'))
  for (;;) {
    const next = once(changed, 'accepted', { signal })
    // It may be held already, and then nobody waits for the next one.
    next.catch(() => {})
    if (await holds(node, ids)) return
    await next
  }
}

async function follow(node: Node, url: string, direction: 'down' | 'both'): Promise<void> {
  const config = { backfill_since_hours: allHistoryHours }
  assert.ok((await node.sync.createRelay({ url, direction, mode: 'auto', config })).ok)
}

test('E-156 history, what comes live, and what came while we were away: all of it arrives', async () => {
  await using folder = await temporaryFolder()
  await using b = await nodeIn(folder.join('b'))
  const url = await b.listen()
  // Dated as they are written: what bears a time long before the cursor waits for the next full comparison (E-63).
  const author = newAuthor()
  const [history, live, missed, later] = ['history', 'live', 'missed', 'later'].map((content) =>
    author.write({ content }),
  ) as [NostrEvent, NostrEvent, NostrEvent, NostrEvent]
  await publish(b, history)
  {
    await using a = await nodeIn(folder.join('a'))
    await follow(a, url, 'down')
    const arrived = untilHeld(a, history)
    a.start()
    await arrived
    await publish(b, live)
    await untilHeld(a, live)
  }
  await publish(b, missed)
  await using a = await nodeIn(folder.join('a'))
  a.start()
  await untilHeld(a, missed)
  await publish(b, later)
  await untilHeld(a, later)
  assert.deepEqual(await held(a), await held(b))
})

test('E-157 in a ring of three an event published anywhere reaches all, and then there is quiet', async () => {
  await using folder = await temporaryFolder()
  await using a = await nodeIn(folder.join('a'))
  await using b = await nodeIn(folder.join('b'))
  await using c = await nodeIn(folder.join('c'))
  const ring = [a, b, c]
  const urls = [await a.listen(), await b.listen(), await c.listen()]
  for (const [i, node] of ring.entries()) await follow(node, urls[(i + 1) % 3]!, 'both')
  for (const node of ring) node.start()
  const events = ring.map((_, i) => notes(10, 1, newAuthor(), start + i))
  await Promise.all(ring.map((node, i) => publish(node, ...events[i]!)))
  await Promise.all(ring.map((node) => untilHeld(node, ...events.flat())))
  // A second wave tells whether the first still goes round: its frames would be counted with it.
  const before = await moved(ring)
  const wave = ring.map((_, i) => notes(1, 1, newAuthor(), start + 1_000 + i))
  await Promise.all(ring.map((node, i) => publish(node, ...wave[i]!)))
  await Promise.all(ring.map((node) => untilHeld(node, ...wave.flat())))
  for (const node of ring) assert.equal((await held(node)).length, 33)
  const after = await moved(ring)
  // Each of 33 events crosses each of six links at most once each way.
  assert.ok(after - before <= 33 * 6 * 2, `${after - before} transfers in the second wave`)
  assert.ok(after <= 33 * 6 * 2, `${after} transfers of 33 events`)
})

/** Events that crossed a link of these nodes so far, either way, whatever became of them. */
async function moved(nodes: readonly Node[]): Promise<number> {
  let sum = 0
  for (const node of nodes)
    for (const { counters } of await node.sync.metrics()) {
      const { received = 0, uploaded = 0, uploadDuplicate = 0 } = counters
      sum += received + uploaded + uploadDuplicate
    }
  return sum
}

test('E-158 after a partition with ten thousand events on either side one run makes both equal, for little more than their size', async () => {
  await using folder = await temporaryFolder()
  await using a = await nodeIn(folder.join('a'))
  await using b = await nodeIn(folder.join('b'))
  const [atA, atB] = [notes(10_000, 3, newAuthor()), notes(10_000, 3, newAuthor(), start + 1)]
  await publish(a, ...notes(1_000, 29))
  await publish(b, ...notes(1_000, 29))
  await publish(a, ...atA)
  await publish(b, ...atB)
  await using line = await countingLine(await b.listen())
  await sync(a, line.url, 'both')
  // On a machine that is busy otherwise an answer may be too late: what waits for it is on record, and goes next time.
  for (let late = await pendingOf(a); late > 0; late = await pendingOf(a)) await sync(a, line.url, 'both')
  assert.deepEqual(await a.count({}), await b.count({}))
  const missing = [...atA, ...atB].reduce((sum, event) => sum + JSON.stringify(event).length, 0)
  assert.ok(line.bytes < 1.5 * missing + 1_000_000, `${line.bytes} bytes for ${missing} missing`)
})

/** Events that wait to be offered again. */
async function pendingOf(node: Node): Promise<number> {
  let sum = 0
  for (const { outbox } of await node.sync.states()) sum += outbox.pending
  return sum
}

/** A line to a WebSocket address that counts every byte, both ways. */
async function countingLine(target: string) {
  const { port } = new URL(target)
  const state = { bytes: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        state.bytes += Buffer.byteLength(chunk)
      })
      from.on('error', () => {})
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get bytes() {
      return state.bytes
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('E-159 a deletion reaches everybody, and its target does not come back from a peer that still has it', async () => {
  await using folder = await temporaryFolder()
  await using a = await nodeIn(folder.join('a'))
  await using b = await nodeIn(folder.join('b'))
  await using c = await nodeIn(folder.join('c'))
  const author = newAuthor()
  const [target, other] = [author.write({ content: 'regretted' }), author.write({ content: 'kept' })]
  await using keeper = await ScriptPeer.listen({ events: [target, other], is: [negStrfry()] })
  const url = await a.listen()
  for (const node of [a, b, c]) await publish(node, target, other)
  const deletion = author.write({ kind: 5, tags: [['e', target.id]] })
  await publish(a, deletion)
  for (const node of [b, c]) await sync(node, url, 'both')
  const expected = [deletion.id, other.id].sort()
  for (const node of [a, b, c]) assert.deepEqual(await held(node), expected)
  for (const node of [a, b, c]) {
    await sync(node, keeper.url, 'down')
    await sync(node, keeper.url, 'down')
    assert.deepEqual(await held(node), expected)
  }
})

test('E-160 what is replaced on both sides of a partition has the same winner everywhere', async () => {
  await using folder = await temporaryFolder()
  await using a = await nodeIn(folder.join('a'))
  await using b = await nodeIn(folder.join('b'))
  const author = newAuthor(() => start)
  const versions = [
    { kind: 0, created_at: start, content: 'profile, first' },
    { kind: 0, created_at: start + 10, content: 'profile, at a' },
    { kind: 0, created_at: start + 20, content: 'profile, at b' },
    { kind: 30_023, tags: [['d', 'x']], created_at: start + 30, content: 'article, at a' },
    {
      kind: 30_023,
      tags: [['d', 'x']],
      created_at: start + 30,
      content: 'article, at b, of the same second',
    },
    { kind: 30_023, tags: [['d', 'y']], created_at: start, content: 'another article' },
  ].map((version) => author.write(version))
  const [first, profileA, profileB, articleA, articleB, other] = versions as [
    NostrEvent,
    NostrEvent,
    NostrEvent,
    NostrEvent,
    NostrEvent,
    NostrEvent,
  ]
  await publish(a, first, profileA, articleA)
  await publish(b, first, profileB, articleB, other)
  const url = await b.listen()
  await sync(a, url, 'both')
  await sync(a, url, 'both')
  const winner = [articleA.id, articleB.id].sort()[0]!
  const expected = [profileB.id, winner, other.id].sort()
  assert.deepEqual(await held(a), expected)
  assert.deepEqual(await held(b), expected)
})
