import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const openNodeIn = async (data: string, port = '0'): Promise<Node> =>
  openNode(await loadConfig({ flags: { data, port } }), { log: silentLogger })

async function publish(node: Node, event: NostrEvent): Promise<void> {
  async function* lines() {
    yield JSON.stringify(event)
  }
  await node.import(lines(), { verify: true, signal: AbortSignal.timeout(20_000), onProgress: () => {} })
}

async function follow(node: Node, url: string): Promise<void> {
  assert.ok((await node.sync.createRelay({ url, direction: 'down', mode: 'auto' })).ok)
}

/** Resolves when the node has accepted the event; woken by the store. */
function acceptance(node: Node, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener = node.events.onAccepted((events) => {
      if (!events.some((event) => event.id === id)) return
      listener[Symbol.dispose]()
      resolve()
    })
    AbortSignal.timeout(30_000).addEventListener('abort', () => reject(new Error(`${id} never came`)))
  })
}

test('a live link finds its relay again after it was down, and fetches what it missed, without any help', async () => {
  await using folder = await temporaryFolder()
  await using b = await openNodeIn(folder.join('b'))
  const author = newAuthor()
  const [before, meanwhile, after] = [1, 2, 3].map((n) => author.write({ content: `${n}` })) as [
    NostrEvent,
    NostrEvent,
    NostrEvent,
  ]
  let port: string
  {
    await using a = await openNodeIn(folder.join('a'))
    const url = await a.listen()
    port = new URL(url).port
    await publish(a, before)
    const first = acceptance(b, before.id)
    await follow(b, url)
    b.start()
    await first
  }
  // Down: what is published now is only known there.
  {
    await using a = await openNodeIn(folder.join('a'))
    await publish(a, meanwhile)
  }
  const [missed, live] = [acceptance(b, meanwhile.id), acceptance(b, after.id)]
  await using a = await openNodeIn(folder.join('a'), port)
  await a.listen()
  await missed
  await publish(a, after)
  await live
  assert.deepEqual(await b.count({}), await a.count({}))
  const runs = await b.sync.runs(`ws://127.0.0.1:${port}`)
  assert.ok(
    runs.some(({ code }) => code === 'peer/unreachable'),
    'what had gone wrong stays visible',
  )
})

test('a stopped node takes up its relays again when it starts, from where it was', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  const url = await a.listen()
  const author = newAuthor()
  const [first, second] = [author.write({ content: 'first' }), author.write({ content: 'second' })]
  await publish(a, first)
  {
    await using b = await openNodeIn(folder.join('b'))
    const arrived = acceptance(b, first.id)
    await follow(b, url)
    b.start()
    await arrived
  }
  await publish(a, second)
  await using b = await openNodeIn(folder.join('b'))
  const arrived = acceptance(b, second.id)
  b.start()
  await arrived
  assert.deepEqual(await b.count({}), await a.count({}))
})

test('E-20 a node is not its own relay', async () => {
  await using folder = await temporaryFolder()
  await using node = await openNodeIn(folder.join('a'))
  const url = await node.listen()
  const refused = { code: 'config/invalid', message: /is this node itself/ }
  const made = await node.sync.createRelay({ url: url.toUpperCase() })
  assert.ok(!made.ok)
  assert.match(made.messages.join(), refused.message)
  const options = { signal: AbortSignal.timeout(10_000), onProgress: () => {} }
  await assert.rejects(node.syncOnce({ url, direction: 'both', filter: {}, live: false }, options), refused)
  assert.deepEqual(await node.sync.listServers(), { ok: true, value: [] })
})
