import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

test('write rules hold for what comes by relay, import and sync, each where it says so', async () => {
  await using folder = await temporaryFolder()
  const open = async (name: string, rules: unknown) => {
    const flags = { data: folder.join(name), port: '0', policyWrite: JSON.stringify(rules) }
    return await openNode(await loadConfig({ flags }), { log: silentLogger })
  }
  await using node = await open('guarded', [
    { action: 'deny', match: { kinds: [7] }, reason: 'no likes' },
    { action: 'deny', match: { '#t': ['spam'] }, sources: ['sync'] },
  ])
  const author = newAuthor()
  const [like, spam, note] = [
    author.write({ kind: 7 }),
    author.write({ tags: [['t', 'spam']] }),
    author.write({ content: 'hello' }),
  ]
  const url = await node.listen()
  using client = await TestClient.connect(url)
  assert.deepEqual(await client.ask(['EVENT', like]), ['OK', like.id, false, 'blocked: no likes'])
  const document = await fetch(url.replace('ws:', 'http:'), { headers: { Accept: 'application/nostr+json' } })
  const { limitation } = (await document.json()) as { limitation: { restricted_writes: boolean } }
  assert.equal(limitation.restricted_writes, true)
  const imported = await node.bulk.importEvents([like], { context: { caller: 'local' } })
  assert.ok(imported.ok)
  assert.equal(imported.value.results[0]?.message, 'blocked: no likes')

  await using source = await open('source', [])
  const filled = await source.bulk.importEvents([like, spam, note], { context: { caller: 'local' } })
  assert.ok(filled.ok && filled.value.accepted === 3)
  const from = await source.listen()
  await node.syncOnce(
    { url: from, direction: 'down', filter: {}, live: false },
    { signal: new AbortController().signal, onProgress: () => {} },
  )
  assert.equal((await node.count({})).count, 1, 'the note alone')
  assert.equal((await client.ask(['EVENT', spam]))[2], true, 'a rule for syncs is for syncs')
})

test('a rule whose filter is wrong keeps the node from starting, by name', async () => {
  await using folder = await temporaryFolder()
  const policyWrite = '[{"action":"allow"},{"action":"deny","match":{"kinds":[-1]}}]'
  const config = await loadConfig({ flags: { data: folder.join('data'), policyWrite } })
  await assert.rejects(openNode(config, { log: silentLogger }), {
    code: 'config/invalid',
    message: /policy\.write\[1\]\.match: kinds/,
  })
})
