import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { Progress } from '../../src/kernel/progress.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { createSigner, generateSecretKey } from '../../src/planes/events/signer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const signer = createSigner(generateSecretKey())
let serial = 0
const newEvent = (createdAt = Math.floor(Date.now() / 1000)) =>
  signer.sign({ kind: 1, created_at: createdAt, tags: [], content: `live ${++serial}` })

async function openNodeIn(data: string): Promise<Node> {
  return openNode(await loadConfig({ flags: { data, port: '0' } }), { log: silentLogger })
}

async function publish(node: Node, events: readonly object[]): Promise<void> {
  const lines = events.map((event) => JSON.stringify(event))
  const options = { verify: true, signal: AbortSignal.timeout(20_000), onProgress: () => {} }
  const { rejected } = await node.import(fromArray(lines), options)
  assert.equal(rejected, 0)
}

async function* fromArray(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

/** Resolves when the node holds so many events; woken by the store, not by a timer. */
async function untilHeld(node: Node, count: number): Promise<void> {
  const changed = { wake: () => {} }
  using _listener = node.events.onAccepted(() => changed.wake())
  while ((await node.count({})).count < count) {
    await new Promise<void>((resolve, reject) => {
      changed.wake = resolve
      AbortSignal.timeout(20_000).addEventListener('abort', () =>
        reject(new Error(`never held ${count} events`)),
      )
      void node.count({}).then((set) => set.count >= count && resolve())
    })
  }
}

function liveSync(node: Node, url: string, direction: 'down' | 'up' | 'both') {
  const stop = new AbortController()
  const live = Promise.withResolvers<void>()
  const onProgress = ({ phase }: Progress) => {
    if (phase === 'live') live.resolve()
  }
  const finished = node.syncOnce(
    { url, direction, filter: {}, live: true },
    { signal: stop.signal, onProgress },
  )
  finished.catch(live.reject)
  return { live: live.promise, stop: () => stop.abort(new Error('test over')), finished }
}

test('N4 live sync: what is published anywhere after catching up is everywhere, both ways', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  await publish(a, [newEvent(1_700_000_000), newEvent(1_700_000_001)])
  await publish(b, [newEvent(1_700_000_002)])
  const sync = liveSync(b, await a.listen(), 'both')
  await sync.live
  assert.equal((await b.count({})).count, 3)
  await publish(a, [newEvent(), newEvent(1_600_000_000)])
  await untilHeld(b, 5)
  await publish(b, [newEvent()])
  await untilHeld(a, 6)
  assert.deepEqual(await a.count({}), await b.count({}))
  sync.stop()
  assert.equal((await sync.finished).run.state, 'idle')
})

test('N4 no event falls between catching up and live while events keep arriving', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const events = Array.from({ length: 600 }, () => newEvent())
  await publish(a, events.slice(0, 200))
  const url = await a.listen()
  const arriving = (async () => {
    for (let at = 200; at < events.length; at += 20) await publish(a, events.slice(at, at + 20))
  })()
  const sync = liveSync(b, url, 'down')
  await arriving
  await untilHeld(b, events.length)
  assert.deepEqual(await b.count({}), await a.count({}))
  sync.stop()
  await sync.finished
})

test('E-132 what came from a peer is not offered back to it', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  let uploads = 0
  const stop = new AbortController()
  const live = Promise.withResolvers<void>()
  const acknowledged = Promise.withResolvers<void>()
  const onProgress = ({ phase, counters }: Progress) => {
    uploads = (counters?.uploaded ?? 0) + (counters?.uploadDuplicate ?? 0)
    if (phase === 'live') live.resolve()
    if (uploads > 0) acknowledged.resolve()
  }
  const url = await a.listen()
  const finished = b.syncOnce(
    { url, direction: 'both', filter: {}, live: true },
    { signal: stop.signal, onProgress },
  )
  await live.promise
  await publish(a, [newEvent(), newEvent()])
  await untilHeld(b, 2)
  await publish(b, [newEvent()])
  await untilHeld(a, 3)
  await acknowledged.promise
  stop.abort(new Error('test over'))
  await finished
  assert.equal(uploads, 1)
})
