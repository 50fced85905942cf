import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { generateCorpus } from '../../src/planes/events/event-corpus.ts'
import { frameProxy, type Treat } from '../helpers/frame-proxy.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const batch = 20

async function openNodeIn(data: string): Promise<Node> {
  const flags = { data, port: '0', limits: `maxLimit=${batch},defaultLimit=${batch}` }
  return openNode(await loadConfig({ flags }), { log: silentLogger })
}

const corpus = (seed: number, count: number) =>
  Array.fromAsync(generateCorpus({ seed, count, authors: 5, from: 1_700_000_000, to: 1_700_900_000 }))

async function fill(node: Node, lines: readonly string[]): Promise<void> {
  const options = { verify: true, signal: AbortSignal.timeout(20_000), onProgress: () => {} }
  await node.import(fromArray(lines), options)
}

async function* fromArray(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

async function syncOnce(node: Node, url: string, direction: 'down' | 'up') {
  const options = { signal: AbortSignal.timeout(30_000), onProgress: () => {} }
  return (await node.syncOnce({ url, direction, filter: {}, live: false }, options)).run
}

/** Frames of one whole sync over an untouched line. */
async function framesOf(target: string, node: Node, direction: 'down' | 'up'): Promise<number> {
  await using proxy = await frameProxy(target, () => 'pass')
  assert.equal((await syncOnce(node, proxy.url, direction)).state, 'idle')
  return proxy.frames
}

test('E-59 the line cut at every frame in turn: the next attempt completes the set, and nothing is stored twice', async () => {
  await using folder = await temporaryFolder()
  await using source = await openNodeIn(folder.join('source'))
  await fill(source, await corpus(21, 70))
  const target = await source.listen()
  const whole = await source.count({})
  await using measured = await openNodeIn(folder.join('measured'))
  const frames = await framesOf(target, measured, 'down')
  assert.ok(frames > 70)
  for (let cutAt = 1; cutAt <= frames; cutAt++) {
    await using sink = await openNodeIn(folder.join(`sink-${cutAt}`))
    await using proxy = await frameProxy(target, (_frame, _from, count) => (count === cutAt ? 'cut' : 'pass'))
    const first = await syncOnce(sink, proxy.url, 'down')
    const second = await syncOnce(sink, proxy.url, 'down')
    assert.equal(second.state, 'idle', `cut at frame ${cutAt}: ${second.reason}`)
    assert.deepEqual(await sink.count({}), whole, `cut at frame ${cutAt}`)
    const counters = [first, second].map((run) => run.progress?.counters ?? {})
    assert.ok(
      counters.every(({ duplicate = 0 }) => duplicate === 0),
      `cut at frame ${cutAt}: nothing twice`,
    )
  }
})

test('E-131 the line cut at every frame of an upload in turn: every event arrives', async () => {
  await using folder = await temporaryFolder()
  await using source = await openNodeIn(folder.join('source'))
  await fill(source, await corpus(22, 25))
  const whole = await source.count({})
  await using measured = await openNodeIn(folder.join('measured'))
  const frames = await framesOf(await measured.listen(), source, 'up')
  for (let cutAt = 1; cutAt <= frames; cutAt++) {
    await using sink = await openNodeIn(folder.join(`sink-${cutAt}`))
    const cut: Treat = (_frame, _from, count) => (count === cutAt ? 'cut' : 'pass')
    await using proxy = await frameProxy(await sink.listen(), cut)
    await syncOnce(source, proxy.url, 'up')
    const { state, reason } = await syncOnce(source, proxy.url, 'up')
    assert.equal(state, 'idle', `cut at frame ${cutAt}: ${reason}`)
    assert.deepEqual(await sink.count({}), whole, `cut at frame ${cutAt}`)
  }
})

test('K8 a relay that lets the session go while its events are being fetched is asked again, within the same run', async () => {
  await using folder = await temporaryFolder()
  await using source = await openNodeIn(folder.join('source'))
  const lines = await corpus(23, 2_500)
  await fill(source, lines)
  await using sink = await openNodeIn(folder.join('sink'))
  await fill(sink, lines.slice(0, 2_300))
  let messages = 0
  const forgetful: Treat = (frame, from) => {
    if (from === 'relay' || !frame.startsWith('["NEG-MSG"')) return 'pass'
    if (++messages > 1) return 'pass'
    const [, id] = JSON.parse(frame) as string[]
    return { answer: [JSON.stringify(['NEG-ERR', id, 'closed: negentropy session timed out'])] }
  }
  await using proxy = await frameProxy(await source.listen(), forgetful)
  const run = await syncOnce(sink, proxy.url, 'down')
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.ok(messages > 1, 'there was a session to interrupt')
  assert.deepEqual(await sink.count({}), await source.count({}))
})

test('a relay that ends every session at once is given up, not asked for ever', async () => {
  await using folder = await temporaryFolder()
  await using source = await openNodeIn(folder.join('source'))
  await using sink = await openNodeIn(folder.join('sink'))
  const rude: Treat = (frame, from) => {
    if (from === 'relay' || !frame.startsWith('["NEG-OPEN"')) return 'pass'
    const [, id] = JSON.parse(frame) as string[]
    return { answer: [JSON.stringify(['NEG-ERR', id, 'closed: too many sessions'])] }
  }
  await using proxy = await frameProxy(await source.listen(), rude)
  const run = await syncOnce(sink, proxy.url, 'down')
  assert.equal(run.state, 'waiting')
  assert.match(run.reason ?? '', /keeps ending the reconciliation: closed: too many sessions/)
})

test('a query that is too big is asked for in smaller windows', async () => {
  await using folder = await temporaryFolder()
  await using source = await openNodeIn(folder.join('source'))
  await fill(source, await corpus(24, 300))
  await using sink = await openNodeIn(folder.join('sink'))
  const times: number[] = []
  for await (const raw of source.export({})) times.push((JSON.parse(raw) as NostrEvent).created_at)
  let refused = 0
  const strict: Treat = (frame, from) => {
    if (from === 'relay' || !frame.startsWith('["NEG-OPEN"')) return 'pass'
    const [, id, filter] = JSON.parse(frame) as [string, string, { since?: number; until?: number }]
    const { since = 0, until = Number.MAX_SAFE_INTEGER } = filter
    if (times.filter((time) => time >= since && time <= until).length <= 100) return 'pass'
    refused++
    return { answer: [JSON.stringify(['NEG-ERR', id, 'blocked: this query is too big', 100])] }
  }
  await using proxy = await frameProxy(await source.listen(), strict)
  const run = await syncOnce(sink, proxy.url, 'down')
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.ok(refused > 2)
  assert.deepEqual(await sink.count({}), await source.count({}))
})
