import assert from 'node:assert/strict'
import { test } from 'node:test'
import { npubOf } from '../../src/planes/events/grasp/announcement.ts'
import { publish, startGraspService, untilHeld } from '../helpers/grasp-service.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { type Author, newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

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
  await using a = await startGraspService(`${folder.path}/a`)
  await using b = await startGraspService(`${folder.path}/b`, { bootstrapRelays: [a.url] })
  await using c = await startGraspService(`${folder.path}/c`, { bootstrapRelays: [a.url] })
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
  await using a = await startGraspService(`${folder.path}/a`)
  const first = await startGraspService(`${folder.path}/b`)
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
  await using second = await startGraspService(`${folder.path}/b`, { port })
  await untilHeld(second.node, answer.id)
  await untilHeld(second.node, missed.id)
})
