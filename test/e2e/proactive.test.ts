import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { type Author, newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

/** A node that mirrors what its repositories name, on a network of its own. */
async function startNode(data: string, bootstrap: string[] = [], port = '0') {
  const proactive = {
    domain: 'git.example.org',
    privateAddresses: true,
    batchWindowMs: 50,
    bootstrapRelays: bootstrap,
  }
  const config = await loadConfig({ flags: { data, port } })
  const node = await openNode(
    { ...config, proactive: { ...config.proactive, ...proactive } },
    { log: silentLogger },
  )
  const url = await node.listen()
  node.start()
  return { node, url, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
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

const announce = (author: Author, d: string, relays: readonly string[]) =>
  author.write({
    kind: 30_617,
    tags: [
      ['d', d],
      ['relays', ...relays],
    ],
  })

test('P-1 P-16 a repository announced on one of three nodes is whole on all of them, whichever its patches are published on', async () => {
  await using folder = await temporaryFolder()
  await using a = await startNode(`${folder.path}/a`)
  await using b = await startNode(`${folder.path}/b`, [a.url])
  await using c = await startNode(`${folder.path}/c`, [a.url])
  const author = newAuthor()
  const repository = announce(author, 'tool', [a.url, b.url, c.url])
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
  await publish(c.url, unrelated)
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
  await using a = await startNode(`${folder.path}/a`)
  const first = await startNode(`${folder.path}/b`)
  const author = newAuthor()
  const repository = announce(author, 'tool', [a.url, first.url])
  for (const url of [a.url, first.url]) await publish(url, repository)
  const ref = `30617:${author.pubkey}:tool`
  const before = author.write({ kind: 1_621, tags: [['a', ref]], content: 'before' })
  await publish(a.url, before)
  await untilHeld(first.node, before.id)
  const { port } = new URL(first.url)
  await first[Symbol.asyncDispose]()
  const missed = author.write({ kind: 1_621, tags: [['a', ref]], content: 'while it was down' })
  await publish(a.url, missed)
  const answer = author.write({ kind: 1_111, tags: [['E', missed.id]], content: 'also then' })
  await publish(a.url, answer)
  await using second = await startNode(`${folder.path}/b`, [], port)
  await untilHeld(second.node, answer.id)
  await untilHeld(second.node, missed.id)
})
