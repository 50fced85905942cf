import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { npubOf } from '../../src/planes/events/grasp/announcement.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { type Author, newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

/** A GRASP service under its own address, on a network of its own. */
async function startService(data: string, bootstrapRelays: string[] = [], port?: number) {
  const domain = `127.0.0.1:${port ?? (await freePort())}`
  const config = await loadConfig({ flags: { data, port: domain.split(':')[1]! } })
  const proactive = {
    ...config.proactive,
    domain,
    privateAddresses: true,
    batchWindowMs: 50,
    bootstrapRelays,
  }
  const node = await openNode({ ...config, proactive }, { log: silentLogger })
  const url = await node.listen()
  node.start()
  return { node, url, domain, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
}

/** A service names itself in announcements before it listens, so the port is taken twice; nobody else takes one in between. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function publish(url: string, event: NostrEvent): Promise<void> {
  using client = await TestClient.connect(url)
  const [verb, , accepted, reason] = await client.ask(['EVENT', event])
  assert.deepEqual([verb, accepted], ['OK', true], String(reason))
}

/** Resolves when the node holds the event; woken by its store, not by a timer. */
async function untilHeld(node: Node, id: string): Promise<void> {
  const held = Promise.withResolvers<void>()
  using _listener = node.events.onAccepted((events) => {
    if (events.some((event) => event.id === id)) held.resolve()
  })
  if ((await node.events.known([id])).has(id)) return
  const deadline = AbortSignal.timeout(30_000)
  deadline.addEventListener('abort', () => held.reject(new Error(`${id} never came`)), { once: true })
  await held.promise
}

/** A repository that is listed at each of these services. */
const announce = (author: Author, d: string, domains: readonly string[]) =>
  author.write({
    kind: 30_617,
    tags: [
      ['d', d],
      ['relays', ...domains.map((domain) => `ws://${domain}`)],
      ['clone', ...domains.map((domain) => `http://${domain}/${npubOf(author.pubkey)}/${d}.git`)],
    ],
  })

test('P-1 P-16 a repository announced on one of three nodes is whole on all of them, whichever its patches are published on', async () => {
  await using folder = await temporaryFolder()
  await using a = await startService(`${folder.path}/a`)
  await using b = await startService(`${folder.path}/b`, [a.url])
  await using c = await startService(`${folder.path}/c`, [a.url])
  const author = newAuthor()
  const repository = announce(author, 'tool', [a.domain, b.domain, c.domain])
  await publish(a.url, repository)
  for (const { node } of [b, c]) await untilHeld(node, repository.id)

  const contributor = newAuthor()
  const ref = `30617:${author.pubkey}:tool`
  const patch = contributor.write({ kind: 1_617, tags: [['a', ref]], content: 'diff' })
  await publish(b.url, patch)
  for (const { node } of [a, c]) await untilHeld(node, patch.id)

  // A reply names the patch alone: only who asks for the thread of the patch finds it.
  const reply = author.write({
    kind: 1_111,
    tags: [
      ['E', patch.id],
      ['K', '1617'],
    ],
    content: 'thanks',
  })
  await publish(c.url, reply)
  for (const { node } of [a, b]) await untilHeld(node, reply.id)
  const unrelated = contributor.write({ content: 'lunch' })
  using client = await TestClient.connect(c.url)
  const refused = await client.ask(['EVENT', unrelated])
  assert.deepEqual(refused.slice(0, 3), ['OK', unrelated.id, false])
  const last = author.write({ kind: 1_621, tags: [['a', ref]], content: 'issue' })
  await publish(c.url, last)
  for (const { node } of [a, b]) {
    await untilHeld(node, last.id)
    assert.equal(
      (await node.events.known([unrelated.id])).size,
      0,
      'what belongs to no repository stays where it is',
    )
  }
  assert.ok(!a.node.proactive().some(({ relays }) => relays > 2), 'no node mirrors itself')
})

test('P-19 P-40 a node that was down for all of it catches up after its return, without being told anything', async () => {
  await using folder = await temporaryFolder()
  await using a = await startService(`${folder.path}/a`)
  const first = await startService(`${folder.path}/b`)
  const author = newAuthor()
  const repository = announce(author, 'tool', [a.domain, first.domain])
  for (const url of [a.url, first.url]) await publish(url, repository)
  const ref = `30617:${author.pubkey}:tool`
  const before = author.write({ kind: 1_621, tags: [['a', ref]], content: 'before' })
  await publish(a.url, before)
  await untilHeld(first.node, before.id)
  const port = Number(new URL(first.url).port)
  await first[Symbol.asyncDispose]()
  const missed = author.write({ kind: 1_621, tags: [['a', ref]], content: 'while it was down' })
  await publish(a.url, missed)
  const answer = author.write({ kind: 1_111, tags: [['E', missed.id]], content: 'also then' })
  await publish(a.url, answer)
  await using second = await startService(`${folder.path}/b`, [], port)
  await untilHeld(second.node, answer.id)
  await untilHeld(second.node, missed.id)
})
