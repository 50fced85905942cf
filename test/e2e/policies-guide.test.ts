import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const guide = new URL('../../docs/guide/policies.md', import.meta.url)

test('the configuration of the guide to policies does what it says, and its calls run', async () => {
  const text = await readFile(guide, 'utf8')
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? []
  const [, calls = ''] = /```ts\n([\s\S]*?)```/.exec(text) ?? []
  await using folder = await temporaryFolder()
  const file = folder.join('syncline.yaml')
  await writeFile(file, yaml)
  const config = await loadConfig({ file, flags: { data: folder.join('data') } })
  await using node = await openNode(config, { log: silentLogger })
  const author = newAuthor()
  const outcome = async (event: ReturnType<typeof author.write>, caller: 'local' | 'http' | 'sync') => {
    const context = { caller, remote: 'wss://noisy.example/' } as const
    const result = await node.bulk.importEvents([event], { context })
    assert.ok(result.ok)
    return result.value.results[0]?.message
  }
  assert.equal(await outcome(author.write({ kind: 1984 }), 'local'), 'blocked: no reports, please')
  const old = author.write({ created_at: 1_000_000 })
  assert.equal(await outcome(old, 'http'), 'blocked: not accepted here')
  assert.equal(await outcome(old, 'sync'), '')
  const large = author.write({ content: 'x'.repeat(70_000) })
  assert.equal(await outcome(large, 'sync'), 'blocked: not accepted here')
  assert.equal(await outcome(large, 'http'), '')
  assert.equal(await outcome(author.write({ tags: [['t', 'nsfw']] }), 'sync'), 'blocked: not accepted here')
  assert.match((await outcome(author.write({ kind: 5000 }), 'http')) ?? '', /^auth-required: /)

  const { pubkey } = author
  const run = new Function('node', 'pubkey', `return (async () => {${calls}})()`)
  const read = async (filter: Filter) => {
    const context = { caller: 'http', authenticatedPubkeys: [pubkey] } as const
    const page = await node.bulk.pageEvents(filter, { context })
    return page.ok ? 'answered' : page.error
  }
  assert.equal(await read({ kinds: [4] }), 'read_not_allowed')
  const [key] = config.admin.pubkeys
  assert.equal(await read({ kinds: [4], '#p': [key ?? ''] }), 'answered')
  await run(node, pubkey)
  assert.deepEqual(
    (await node.acl.list()).map(({ capability, match }) => [capability, match]),
    [['sync_write', {}]],
  )
  assert.equal(await read({ kinds: [5000] }), 'sync_read_not_allowed')
})
