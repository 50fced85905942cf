import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { Progress } from '../../src/kernel/progress.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { frameProxy, type Treat } from '../helpers/frame-proxy.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const openNodeIn = async (data: string): Promise<Node> =>
  openNode(await loadConfig({ flags: { data, port: '0' } }), { log: silentLogger })

async function* asLines(events: readonly NostrEvent[]): AsyncGenerator<string> {
  for (const event of events) yield JSON.stringify(event)
}

const options = () => ({ signal: AbortSignal.timeout(40_000), onProgress: () => {} })
const giftWrap = (recipient: string) => newAuthor().write({ kind: 1059, tags: [['p', recipient]] })

async function ids(node: Node): Promise<string[]> {
  const all: string[] = []
  for await (const raw of node.export({})) all.push((JSON.parse(raw) as NostrEvent).id)
  return all.sort()
}

test('E-44 E-49 what a relay shows only to those concerned is synced after proving who we are', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const ours = [giftWrap(b.identity.pubkey), giftWrap(b.identity.pubkey)]
  const theirs = [giftWrap(newAuthor().pubkey)]
  await a.import(asLines([...ours, ...theirs]), { verify: true, ...options() })
  const request = {
    url: await a.listen(),
    direction: 'down',
    filter: { kinds: [1059] },
    live: false,
  } as const
  const { run } = await b.syncOnce(request, options())
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.deepEqual(await ids(b), ours.map(({ id }) => id).sort())
})

test('E-133 an event refused there for good is a dead letter with the words of the relay, and is not offered again', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const [good, bad] = [newAuthor().write({ content: 'good' }), newAuthor().write({ content: 'bad' })]
  await b.import(asLines([good, bad]), { verify: true, ...options() })
  let offered = 0
  const picky: Treat = (frame, from) => {
    if (from === 'relay' || !frame.startsWith('["EVENT"') || !frame.includes(bad.id)) return 'pass'
    offered++
    return { answer: [JSON.stringify(['OK', bad.id, false, 'blocked: not this one'])] }
  }
  await using proxy = await frameProxy(await a.listen(), picky)
  const request = { url: proxy.url, direction: 'up', filter: {}, live: false } as const
  for (let run = 0; run < 3; run++) assert.equal((await b.syncOnce(request, options())).run.state, 'idle')
  assert.deepEqual(await ids(a), [good.id])
  assert.equal(offered, 1)
  assert.deepEqual((await b.relays())[0]?.links[0]?.outbox, { pending: 0, dead: 1 })
})

test('E-133 an event without an answer stays pending, visible, and leaves by success', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const event = newAuthor().write()
  await b.import(asLines([event]), { verify: true, ...options() })
  let answers = 0
  const shaky: Treat = (frame, from) => {
    if (from === 'relay' || !frame.startsWith('["EVENT"')) return 'pass'
    return answers++ === 0
      ? { answer: [JSON.stringify(['OK', event.id, false, 'error: try again'])] }
      : 'pass'
  }
  await using proxy = await frameProxy(await a.listen(), shaky)
  const request = { url: proxy.url, direction: 'up', filter: {}, live: false } as const
  await b.syncOnce(request, options())
  assert.deepEqual((await b.relays())[0]?.links[0]?.outbox, { pending: 1, dead: 0 })
  // Negentropy finds it missing there again, whether or not the outbox calls it due.
  await b.syncOnce(request, options())
  assert.deepEqual(await ids(a), [event.id])
  assert.deepEqual((await b.relays())[0]?.links[0]?.outbox, { pending: 0, dead: 0 })
})

test('an event that waits to be sent and is deleted meanwhile is owed no longer', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const author = newAuthor()
  const event = author.write()
  await b.import(asLines([event]), { verify: true, ...options() })
  const failing: Treat = (frame, from) =>
    from === 'client' && frame.startsWith('["EVENT"') && frame.includes(`"id":"${event.id}"`)
      ? { answer: [JSON.stringify(['OK', event.id, false, 'error: try again'])] }
      : 'pass'
  await using proxy = await frameProxy(await a.listen(), failing)
  const request = { url: proxy.url, direction: 'up', filter: {}, live: false } as const
  await b.syncOnce(request, options())
  assert.equal((await b.relays())[0]?.links[0]?.outbox.pending, 1)
  await b.import(asLines([author.write({ kind: 5, tags: [['e', event.id]] })]), {
    verify: true,
    ...options(),
  })
  await b.syncOnce(request, options())
  assert.deepEqual((await b.relays())[0]?.links[0]?.outbox, { pending: 0, dead: 0 })
})

test('E-44 a live subscription that demands authentication is opened again after it', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const url = await a.listen()
  const live = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  using _listener = b.events.onAccepted(() => arrived.resolve())
  const stop = new AbortController()
  const onProgress = ({ phase }: Progress) => {
    if (phase === 'live') live.resolve()
  }
  const request = { url, direction: 'down', filter: { kinds: [1059] }, live: true } as const
  const finished = b.syncOnce(request, {
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
    onProgress,
  })
  finished.catch(live.reject)
  await live.promise
  const wrap = giftWrap(b.identity.pubkey)
  await a.import(asLines([wrap]), { verify: true, ...options() })
  await arrived.promise
  assert.deepEqual(await ids(b), [wrap.id])
  stop.abort(new Error('test over'))
  await finished
})
