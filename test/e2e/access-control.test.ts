import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

test('E-81 a node protects what its configuration says, for the keys it granted, also after a restart', async () => {
  await using folder = await temporaryFolder()
  const open = async () => {
    const flags = {
      data: folder.join('data'),
      port: '0',
      policyProtectedFilters: '[{"kinds":[5000]}]',
    }
    return await openNode(await loadConfig({ flags }), { log: silentLogger })
  }
  const reader = newAuthor()
  const secret = newAuthor().write({ kind: 5000 })
  const asked = async (node: Awaited<ReturnType<typeof open>>, ...authenticatedPubkeys: string[]) => {
    const context = { caller: 'http', authenticatedPubkeys } as const
    const page = await node.bulk.pageEvents({ kinds: [5000] }, { context })
    return page.ok ? page.value.events.length : page.error
  }
  {
    await using node = await open()
    const imported = await node.bulk.importEvents([secret], { context: { caller: 'local' } })
    assert.ok(imported.ok && imported.value.accepted === 1, 'an import is the operator')
    const foreign = await node.bulk.importEvents([newAuthor().write({ kind: 5000 })], {
      context: { caller: 'http' },
    })
    assert.ok(foreign.ok)
    assert.match(foreign.value.results[0]?.message ?? '', /^auth-required: auth_required/)
    await assert.rejects(node.acl.grant({ principal: 'nobody' }), { code: 'config/invalid' })
    await node.acl.grant({ principal: reader.pubkey, capability: 'sync_read', match: { kinds: [5000] } })
    assert.equal(await asked(node, reader.pubkey), 1)
  }
  await using node = await open()
  const url = await node.listen()
  assert.deepEqual(await node.acl.list({ principal: reader.pubkey }), [
    { principal_type: 'pubkey', principal: reader.pubkey, capability: 'sync_read', match: { kinds: [5000] } },
  ])
  assert.equal(await asked(node, reader.pubkey), 1)
  assert.equal(await asked(node), 'auth_required')
  using client = await TestClient.connect(url)
  client.send(['REQ', 'a', { kinds: [5000] }])
  const [[, challenge] = []] = await client.until('CLOSED')
  assert.equal((await client.ask(['AUTH', reader.authenticate(url, String(challenge))]))[2], true)
  assert.equal((await client.request('a', { kinds: [5000] })).events.length, 1)
  const grant = { principal: reader.pubkey, capability: 'sync_read', match: { kinds: [5000] } }
  assert.equal(await node.acl.revoke(grant), true)
  assert.match(String((await client.next())[2]), /^restricted: sync_read_not_allowed/)
  assert.equal(await asked(node, reader.pubkey), 'sync_read_not_allowed')
})

test('a protected filter that is none keeps the node from starting', async () => {
  await using folder = await temporaryFolder()
  const flags = { data: folder.join('data'), policyProtectedFilters: '[{"kinds":[5000]},{"kinds":"all"}]' }
  const config = await loadConfig({ flags })
  await assert.rejects(openNode(config, { log: silentLogger }), {
    code: 'config/invalid',
    message: /policy\.protectedFilters\[1\]/,
  })
})

test('what is protected is synced with relays whose key was granted it, in either direction', async () => {
  await using folder = await temporaryFolder()
  const open = async (name: string, policyProtectedFilters: string) => {
    const flags = { data: folder.join(name), port: '0', policyProtectedFilters }
    return await openNode(await loadConfig({ flags }), { log: silentLogger })
  }
  await using node = await open('guarded', '[{"kinds":[5000]}]')
  await using other = await open('other', '[]')
  const url = await other.listen()
  const author = newAuthor()
  const [ours, theirs, note] = [
    author.write({ kind: 5000 }),
    author.write({ kind: 5000, content: '2' }),
    author.write(),
  ]
  const local = { context: { caller: 'local' } } as const
  await node.bulk.importEvents([ours, note], local)
  await other.bulk.importEvents([theirs], local)
  const server = {
    mode: 'negentropy',
    id: 'other',
    url,
    auth_pubkey: other.identity.pubkey,
    filters: [{}],
    direction: 'both',
    enabled: false,
  }
  const put = await node.sync.importServers(JSON.stringify(server), { profile: 'open' })
  assert.ok(put.ok && put.value.imported.length === 1)
  const sync = async (direction: 'up' | 'down') => {
    const options = { signal: new AbortController().signal, onProgress: () => {} }
    await node.syncOnce({ url, direction, filter: {}, live: false }, options)
    return [(await node.count({ kinds: [5000] })).count, (await other.count({})).count]
  }
  assert.deepEqual(await sync('up'), [1, 2], 'the note alone went up')
  assert.deepEqual(await sync('down'), [1, 2], 'and nothing protected came down')
  const principal = other.identity.pubkey
  await node.acl.grant({ principal, capability: 'sync_read', match: { kinds: [5000] } })
  assert.deepEqual(await sync('up'), [1, 3], 'granted to read it, the relay is offered it')
  await node.acl.grant({ principal: author.pubkey, capability: 'sync_write' })
  assert.deepEqual(await sync('down'), [1, 3], 'a grant of the author is none of the relay')
  await node.acl.grant({ principal, capability: 'sync_write', match: { kinds: [5000] } })
  assert.deepEqual(await sync('down'), [2, 3])
})
