import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { Progress } from '../../src/kernel/progress.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
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
