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
