import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { frameProxy, type Treat } from '../helpers/frame-proxy.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const openNodeIn = async (data: string): Promise<Node> =>
  openNode(await loadConfig({ flags: { data, port: '0' } }), { log: silentLogger })

const options = () => ({ signal: AbortSignal.timeout(40_000), onProgress: () => {} })

async function* asLines(events: readonly NostrEvent[]): AsyncGenerator<string> {
  for (const event of events) yield JSON.stringify(event)
}

async function ids(node: Node): Promise<string[]> {
  const all: string[] = []
  for await (const raw of node.export({})) all.push((JSON.parse(raw) as NostrEvent).id)
  return all.sort()
}

/** A relay with these events, and a line on which a test lies about them; answers what a sync down made of it. */
async function syncedThrough(
  events: readonly NostrEvent[],
  lie: (event: NostrEvent, frame: string) => string[],
) {
  await using folder = await temporaryFolder()
  await using relay = await openNodeIn(folder.join('relay'))
  await using node = await openNodeIn(folder.join('node'))
  await relay.import(asLines(events), { verify: true, ...options() })
  const treat: Treat = (frame, from) => {
    if (from === 'client' || !frame.startsWith('["EVENT"')) return 'pass'
    return { instead: lie((JSON.parse(frame) as [string, string, NostrEvent])[2], frame) }
  }
  await using proxy = await frameProxy(await relay.listen(), treat)
  const request = { url: proxy.url, direction: 'down', filter: {}, live: false } as const
  const { run } = await node.syncOnce(request, options())
  return { run, held: await ids(node), counters: run.progress?.counters ?? {} }
}

const author = newAuthor()
const notes = (count: number) =>
  Array.from({ length: count }, (_, i) => author.write({ content: `note ${i}` }))
const sorted = (events: readonly NostrEvent[]) => events.map(({ id }) => id).sort()

test('N1 E-161 forged and damaged events of a peer are refused and counted; the genuine ones beside them are kept', async () => {
  const events = notes(40)
  const [forged, damaged, swapped] = events as [NostrEvent, NostrEvent, NostrEvent]
  const { run, held, counters } = await syncedThrough(events, ({ id }, frame) => {
    if (id === forged.id) return [frame.replace(/"sig":"../, '"sig":"00')]
    if (id === damaged.id) return [frame.replace('"content":"note', '"content":"Note')]
    if (id === swapped.id) return [frame.replace(author.pubkey, newAuthor().pubkey)]
    return [frame]
  })
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.deepEqual(held, sorted(events.slice(3)))
  assert.equal(counters.rejected, 3)
  assert.equal(run.proof?.equal, false, 'K14 it does not claim to be in step')
})

test('E-56 events nobody asked for are dropped, never stored', async () => {
  const events = notes(20)
  const uninvited = newAuthor().write({ content: 'spam' })
  const { run, held } = await syncedThrough(events, (_event, frame) => [
    frame.replace(/\{.*\}/, JSON.stringify(uninvited)),
    frame,
  ])
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.deepEqual(held, sorted(events))
})

test('T-MAL-7 events that are offered and never delivered are counted as missing, and the sync ends', async () => {
  const events = notes(30)
  const withheld = events.slice(0, 4)
  const { run, held, counters } = await syncedThrough(events, (event, frame) =>
    withheld.some(({ id }) => id === event.id) ? [] : [frame],
  )
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.deepEqual(held, sorted(events.slice(4)))
  assert.equal(counters.missing, 4)
})

test('T-MAL-3 a relay that answers a hundred times what was asked costs no more than what was asked', async () => {
  const events = notes(10)
  const flood = Array.from({ length: 100 }, () => newAuthor().write({ content: 'flood' }))
  const { run, held } = await syncedThrough(events, (_event, frame) => [
    ...flood.map((event) => frame.replace(/\{.*\}/, JSON.stringify(event))),
    frame,
  ])
  assert.deepEqual(
    held,
    sorted(events).filter((id) => held.includes(id)),
    'nothing but what was asked for',
  )
  assert.ok(run.state === 'idle' || run.state === 'waiting')
})

test('a relay that keeps sending what no client understands is given up as broken', async () => {
  await using folder = await temporaryFolder()
  await using relay = await openNodeIn(folder.join('relay'))
  await using node = await openNodeIn(folder.join('node'))
  const noise = Array.from({ length: 2_000 }, (_, i) => `["NOISE",${i}]`)
  const treat: Treat = (frame, from) =>
    from === 'relay' && frame.startsWith('["NEG-MSG"') ? { instead: noise } : 'pass'
  await using proxy = await frameProxy(await relay.listen(), treat)
  const request = { url: proxy.url, direction: 'down', filter: {}, live: false } as const
  const { run } = await node.syncOnce(request, options())
  assert.equal(run.state, 'waiting')
  assert.match(run.reason ?? '', /keeps sending/)
})

test('E-125 what the rules refuse for good is not fetched again in later runs, and the runs still complete', async () => {
  await using folder = await temporaryFolder()
  await using relay = await openNodeIn(folder.join('relay'))
  await using node = await openNodeIn(folder.join('node'))
  const [old, kept] = [author.write({ content: 'deleted here' }), author.write({ content: 'kept' })]
  await relay.import(asLines([old, kept]), { verify: true, ...options() })
  await node.import(asLines([author.write({ kind: 5, tags: [['e', old.id]] })]), {
    verify: true,
    ...options(),
  })
  const request = { url: await relay.listen(), direction: 'down', filter: {}, live: false } as const
  const first = (await node.syncOnce(request, options())).run.progress?.counters ?? {}
  assert.deepEqual([first.accepted, first.rejected, first.refusedBefore], [1, 1, 0])
  const { run } = await node.syncOnce(request, options())
  assert.equal(run.state, 'idle', run.reason ?? '')
  assert.deepEqual([run.progress?.counters?.received, run.progress?.counters?.refusedBefore], [0, 1])
})
