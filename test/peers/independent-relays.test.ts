import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { allHistoryHours } from '../../src/node/sync/on-demand.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { certificate } from '../helpers/certificates.ts'
import { type IndependentRelay, independentRelay } from '../helpers/independent-relay.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { tlsTap } from '../helpers/tls-tap.ts'
import { newAuthor } from './author.ts'

const patience = 90_000
const author = newAuthor()
let written = 0

/** Notes of one author, a second apart, so that no second is denser than a page. */
const notes = (count: number): NostrEvent[] =>
  Array.from({ length: count }, () => {
    written += 1
    return author.write({ created_at: 1_700_000_000 + written, content: `note ${written}` })
  })

const note = (): NostrEvent => notes(1)[0] as NostrEvent
const foreign = (event: NostrEvent) => ({ ...event, tags: event.tags.map((tag) => [...tag]) })
const idsOf = (events: readonly NostrEvent[]) => events.map(({ id }) => id)

const openIn = async (data: string): Promise<Node> =>
  openNode(await loadConfig({ flags: { data } }), { log: silentLogger })

async function hold(node: Node, events: readonly NostrEvent[]): Promise<void> {
  async function* lines() {
    for (const event of events) yield JSON.stringify(event)
  }
  const options = { verify: true, signal: AbortSignal.timeout(patience), onProgress: () => {} }
  const { accepted } = await node.import(lines(), options)
  assert.equal(accepted, events.length)
}

function put(relay: IndependentRelay, events: readonly NostrEvent[]): void {
  for (const event of events) relay.events.set(event.id, foreign(event))
}

async function follow(node: Node, url: string, change: object = {}): Promise<void> {
  const config = { backfill_since_hours: allHistoryHours }
  const made = await node.sync.createRelay({ url, config, ...change })
  assert.ok(made.ok, made.ok ? '' : made.messages.join('; '))
}

async function held(node: Node): Promise<string[]> {
  const ids: string[] = []
  for await (const raw of node.export({})) ids.push((JSON.parse(raw) as NostrEvent).id)
  return ids.sort()
}

/** Resolves when the node holds all of these; woken by its store. */
async function arrival(node: Node, ids: readonly string[]): Promise<void> {
  const missing = new Set(ids)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  using _accepted = node.events.onAccepted((events) => {
    for (const { id } of events) missing.delete(id)
    if (missing.size === 0) resolve()
  })
  for (const id of await held(node)) missing.delete(id)
  if (missing.size === 0) return
  AbortSignal.timeout(patience).addEventListener('abort', () =>
    reject(new Error(`${missing.size} never came`)),
  )
  await promise
}

type Four = [NostrEvent, NostrEvent, NostrEvent, NostrEvent]

const kinds = [
  ['an independent relay without NIP-77', { authenticates: false }],
  ['an independent relay that demands NIP-42', { authenticates: true }],
] as const

for (const [name, kind] of kinds) {
  test(`${name}: history, then live, in both directions`, async () => {
    const [theirs, ours] = [notes(120), notes(60)]
    await using folder = await temporaryFolder()
    await using relay = await independentRelay({ cap: 50, ...kind })
    put(relay, theirs)
    await using node = await openIn(folder.path)
    await hold(node, ours)
    await follow(node, relay.url, { direction: 'both' })
    node.start()
    await arrival(node, idsOf(theirs))
    await relay.received(idsOf(ours))
    const [liveThere, liveHere] = [note(), note()]
    await relay.publish(foreign(liveThere))
    await arrival(node, [liveThere.id])
    await hold(node, [liveHere])
    await relay.received([liveHere.id])
    assert.deepEqual(await held(node), [...relay.events.keys()].sort())
  })

  test(`${name}: a node that is closed half-way goes on from there`, async () => {
    const all = notes(300)
    await using folder = await temporaryFolder()
    const released = Promise.withResolvers<void>()
    const gate = async (handedOut: number) => (handedOut < 150 ? undefined : released.promise)
    await using relay = await independentRelay({ cap: 50, hold: gate, ...kind })
    put(relay, all)
    {
      await using node = await openIn(folder.path)
      await follow(node, relay.url)
      node.start()
      await arrival(node, idsOf(all.slice(-50)))
    }
    released.resolve()
    await using node = await openIn(folder.path)
    const before = (await held(node)).length
    assert.ok(before >= 50 && before <= 200, `half-way: ${before}`)
    node.start()
    await arrival(node, idsOf(all))
    assert.deepEqual(await held(node), idsOf(all).sort())
  })

  test(`${name}: down and back on its address, what it got meanwhile is fetched and live goes on`, async () => {
    await using folder = await temporaryFolder()
    await using node = await openIn(folder.path)
    // Of now: what lies in time that was covered already is found by the next full comparison.
    const [first, meanwhile, own, live] = ['1', '2', '3', '4'].map((content) =>
      author.write({ content }),
    ) as Four
    let port: number
    let events: IndependentRelay['events']
    {
      await using relay = await independentRelay({ cap: 50, ...kind })
      put(relay, [first])
      ;({ port, events } = relay)
      await follow(node, relay.url, { direction: 'both' })
      node.start()
      await arrival(node, [first.id])
    }
    await hold(node, [own])
    events.set(meanwhile.id, foreign(meanwhile))
    await using relay = await independentRelay({ cap: 50, port, events, ...kind })
    await arrival(node, [meanwhile.id])
    await relay.received([own.id])
    await relay.publish(foreign(live))
    await arrival(node, [live.id])
  })

  test(`E-39 E-42 ${name}: its pin is accepted, and another one refused before a single application byte`, async () => {
    await using folder = await temporaryFolder()
    const root = await certificate({ name: 'root' })
    const leaf = await certificate({ name: 'relay', issuer: root, hosts: ['localhost'] })
    const other = await certificate({ name: 'other' })
    const ca = folder.join('ca.pem')
    await writeFile(ca, root.cert)
    const all = notes(80)
    const tls = { cert: leaf.cert, key: leaf.key, maxVersion: 'TLSv1.2' } as const
    await using relay = await independentRelay({ cap: 50, tls, ...kind })
    put(relay, all)
    await using node = await openIn(folder.join('data'))
    const syncPinned = async (pin: string) => {
      await using tap = await tlsTap(relay.port)
      const url = `wss://localhost:${tap.port}/`
      const pins = [{ type: 'spki_sha256', value: pin }]
      await follow(node, url, { enabled: false, tls: { ca_certfile: ca, pins } })
      const options = { signal: AbortSignal.timeout(patience), onProgress: () => {} }
      const request = { url, direction: 'down', filter: {}, live: false } as const
      const { run } = await node.syncOnce(request, options)
      assert.ok(tap.connections > 0)
      // A line that was refused is closed at once; one that was used may be kept for the next request.
      if (run.state !== 'idle') await tap.closed()
      return { run, bytes: tap.applicationBytes }
    }
    const refused = await syncPinned(other.pin)
    assert.match(refused.run.reason ?? '', /pin mismatch/)
    assert.equal(refused.bytes, 0)
    assert.deepEqual(await held(node), [])
    const accepted = await syncPinned(leaf.pin)
    assert.equal(accepted.run.state, 'idle', accepted.run.reason ?? 'not idle')
    assert.ok(accepted.bytes > 0)
    assert.deepEqual(await held(node), idsOf(all).sort())
  })
}
