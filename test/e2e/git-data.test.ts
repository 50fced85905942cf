import assert from 'node:assert/strict'
import { test } from 'node:test'
import { npubOf } from '../../src/planes/events/grasp/announcement.ts'
import { git, startGitServer, withoutGit } from '../helpers/git-server.ts'
import { publish, startGraspService, untilHeld } from '../helpers/grasp-service.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

test('P-91 P-93 a state published on one node is served by another once that has its git data from the clone URL', {
  skip: withoutGit,
}, async () => {
  await using folder = await temporaryFolder()
  await using server = await startGitServer()
  const source = server.repository('tool')
  const first = source.commit('main', 'one')
  const second = source.commit('main', 'two', first)
  await using a = await startGraspService(`${folder.path}/a`)
  const gitDir = `${folder.path}/git`
  await using b = await startGraspService(`${folder.path}/b`, { bootstrapRelays: [a.url], gitDir })
  const author = newAuthor()
  const own = (domain: string) => `http://${domain}/${npubOf(author.pubkey)}/tool.git`
  const announcement = author.write({
    kind: 30_617,
    tags: [
      ['d', 'tool'],
      ['relays', `ws://${a.domain}`, `ws://${b.domain}`],
      ['clone', own(a.domain), own(b.domain), server.url('tool')],
    ],
  })
  const state = author.write({
    kind: 30_618,
    tags: [
      ['d', 'tool'],
      ['refs/heads/main', second],
      ['refs/tags/v1', first],
      ['HEAD', 'ref: refs/heads/main'],
    ],
  })
  for (const event of [announcement, state]) await publish(a.url, event)
  await untilHeld(b.node, state.id)
  const path = `${gitDir}/${npubOf(author.pubkey)}/tool.git`
  const listed = git(path, ['ls-remote', path]).split('\n')
  assert.deepEqual(listed, [`${second}\tHEAD`, `${second}\trefs/heads/main`, `${first}\trefs/tags/v1`])
  const { git: status } = await b.node.status()
  assert.ok(status !== undefined && 'fetches' in status)
  assert.equal(status.fetches.complete, 1)
  assert.equal((await a.node.status()).git, undefined, 'it was not asked to keep any')
})
