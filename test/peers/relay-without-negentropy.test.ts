import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { generateCorpus } from '../../src/planes/events/event-corpus.ts'
import { createSigner, generateSecretKey } from '../../src/planes/events/signer.ts'
import { independentRelay } from '../helpers/independent-relay.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const corpus = async (seed: number, count: number) =>
  (
    await Array.fromAsync(
      generateCorpus({ seed, count, authors: 10, from: 1_700_000_000, to: 1_700_600_000 }),
    )
  ).map((raw) => JSON.parse(raw) as NostrEvent)

/** Regular kinds only: the foreign relay's storage knows nothing of replacement. */
const regular = (events: readonly NostrEvent[]) => events.filter(({ kind }) => kind === 1 || kind === 7)

async function withNode(work: (node: Node) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder()
  await using node = await openNode(await loadConfig({ flags: { data: folder.path } }), { log: silentLogger })
  await work(node)
}

async function sync(node: Node, url: string, direction: 'down' | 'up' | 'both') {
  const options = { signal: AbortSignal.timeout(60_000), onProgress: () => {} }
  const { run } = await node.syncOnce({ url, direction, filter: {}, live: false }, options)
  assert.equal(run.state, 'idle', run.reason ?? 'not idle')
  return run
}

const idsOf = async (node: Node) => {
  const ids: string[] = []
  for await (const raw of node.export({})) ids.push((JSON.parse(raw) as NostrEvent).id)
  return ids.sort()
}

const checkpointOf = async (node: Node) => {
  const [state] = await node.sync.states()
  assert.ok(state !== undefined)
  return state
}

test('E-58 everything comes down through pages that the relay silently caps', async () => {
  await using relay = await independentRelay({ cap: 40 })
  const events = regular(await corpus(11, 500))
  for (const event of events)
    relay.events.set(event.id, { ...event, tags: event.tags.map((tag) => [...tag]) })
  await withNode(async (node) => {
    await sync(node, relay.url, 'down')
    assert.deepEqual(await idsOf(node), [...relay.events.keys()].sort())
    const { coverage, gaps, strategy } = await checkpointOf(node)
    assert.equal(coverage.length, 1, 'one interval, without a hole')
    assert.equal(coverage[0]?.[0], 0)
    assert.deepEqual(gaps, [])
    assert.equal(strategy, 'req')
  })
})

test('a second run only reads the overlap again', async () => {
  await using relay = await independentRelay({ cap: 100 })
  const events = regular(await corpus(12, 300))
  for (const event of events)
    relay.events.set(event.id, { ...event, tags: event.tags.map((tag) => [...tag]) })
  await withNode(async (node) => {
    await sync(node, relay.url, 'down')
    const { progress } = await sync(node, relay.url, 'down')
    assert.equal(progress?.counters?.received, 0)
  })
})

test('E-66 a second denser than a page comes whole when its kinds tell its events apart', async () => {
  await using relay = await independentRelay({ cap: 60 })
  const dense = denseSecond(30, [1, 7, 16, 1111, 30_818])
  for (const event of dense) relay.events.set(event.id, event)
  await withNode(async (node) => {
    await sync(node, relay.url, 'down')
    assert.deepEqual(await idsOf(node), [...relay.events.keys()].sort())
    assert.deepEqual((await checkpointOf(node)).gaps, [])
  })
})

test('E-66 a second that cannot be split is recorded as a gap, never passed over in silence', async () => {
  await using relay = await independentRelay({ cap: 20 })
  for (const event of denseSecond(50, [1])) relay.events.set(event.id, event)
  const before = (await corpus(13, 30)).filter(({ kind }) => kind === 1)
  for (const event of before)
    relay.events.set(event.id, { ...event, tags: event.tags.map((tag) => [...tag]) })
  await withNode(async (node) => {
    await sync(node, relay.url, 'down')
    const { gaps } = await checkpointOf(node)
    assert.equal(gaps.length, 1)
    assert.match(gaps[0]?.reason ?? '', /dense_second/)
    const held = new Set(await idsOf(node))
    for (const { id } of before)
      assert.ok(held.has(id), 'what lies before the dense second is fetched all the same')
  })
})

test('up offers everything in order of arrival, and only what is acknowledged counts', async () => {
  await using relay = await independentRelay({ cap: 100 })
  const events = regular(await corpus(14, 200))
  await withNode(async (node) => {
    const lines = events.map((event) => JSON.stringify(event))
    await node.import(toAsync(lines), {
      verify: true,
      signal: AbortSignal.timeout(30_000),
      onProgress: () => {},
    })
    const { progress } = await sync(node, relay.url, 'up')
    assert.deepEqual([...relay.events.keys()].sort(), events.map(({ id }) => id).sort())
    assert.equal(progress?.counters?.uploaded, events.length)
    assert.equal((await sync(node, relay.url, 'up')).progress?.counters?.uploaded, 0)
  })
})

test('both directions at once leave the same events on both sides', async () => {
  await using relay = await independentRelay({ cap: 50 })
  const [theirs, ours] = [regular(await corpus(15, 200)), regular(await corpus(16, 200))]
  for (const event of theirs)
    relay.events.set(event.id, { ...event, tags: event.tags.map((tag) => [...tag]) })
  await withNode(async (node) => {
    const lines = ours.map((event) => JSON.stringify(event))
    await node.import(toAsync(lines), {
      verify: true,
      signal: AbortSignal.timeout(30_000),
      onProgress: () => {},
    })
    await sync(node, relay.url, 'both')
    assert.deepEqual(await idsOf(node), [...relay.events.keys()].sort())
  })
})

function denseSecond(perKind: number, kinds: readonly number[]) {
  const signer = createSigner(generateSecretKey())
  return kinds.flatMap((kind) =>
    Array.from({ length: perKind }, (_, i) => {
      const tags = [['d', `${i}`]]
      const event = signer.sign({ kind, created_at: 1_700_000_000, tags, content: `dense ${kind} ${i}` })
      return { ...event, tags }
    }),
  )
}

async function* toAsync<T>(values: Iterable<T>): AsyncGenerator<T> {
  yield* values
}
