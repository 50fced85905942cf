import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const admin = newAuthor()

async function manage(url: string, method: string, ...params: unknown[]): Promise<unknown> {
  const http = url.replace('ws:', 'http:')
  const body = JSON.stringify({ method, params })
  const tags = [
    ['u', http],
    ['method', 'POST'],
    ['payload', createHash('sha256').update(body).digest('hex')],
  ]
  const event = admin.write({ kind: 27_235, tags })
  const response = await fetch(http, {
    method: 'POST',
    body,
    headers: {
      'Content-Type': 'application/nostr+json+rpc',
      Authorization: `Nostr ${Buffer.from(JSON.stringify(event)).toString('base64')}`,
    },
  })
  const { result, error } = (await response.json()) as { result?: unknown; error?: string }
  assert.equal(error, undefined)
  return result
}

test('what an administrator has banned does not come back by sync, import or a restart, until it is let in', async () => {
  await using folder = await temporaryFolder()
  const open = async (name: string, pubkeys: string) => {
    const flags = { data: folder.join(name), port: '0', adminPubkeys: pubkeys, name: 'Mirror' }
    return await openNode(await loadConfig({ flags }), { log: silentLogger })
  }
  const [spammer, author] = [newAuthor(), newAuthor()]
  const spam = Array.from({ length: 5 }, (_, at) => spammer.write({ content: `buy ${at}` }))
  const [note, bad] = [author.write({ content: 'hello' }), author.write({ content: 'bad day' })]
  await using source = await open('source', '')
  const filled = await source.bulk.importEvents([...spam, note, bad], { context: { caller: 'local' } })
  assert.ok(filled.ok && filled.value.accepted === 7)
  const from = await source.listen()
  const pull = async (node: Awaited<ReturnType<typeof open>>) => {
    const request = { url: from, direction: 'down', filter: {}, live: false } as const
    const options = { signal: new AbortController().signal, onProgress: () => {} }
    const { run } = await node.syncOnce(request, options)
    return run.progress?.counters
  }
  {
    await using node = await open('mirror', admin.pubkey)
    const url = await node.listen()
    await pull(node)
    assert.equal((await node.count({})).count, 7)
    await manage(url, 'banpubkey', spammer.pubkey, 'spam')
    await manage(url, 'banevent', bad.id)
    await manage(url, 'changerelayname', 'Clean mirror')
    assert.equal((await node.count({})).count, 1)
    assert.equal((await pull(node))?.accepted, 0)
    assert.equal((await node.count({})).count, 1, 'offered again, refused again')
    const again = await pull(node)
    assert.deepEqual([again?.received, again?.refusedBefore], [0, 6], 'and then not even fetched')
    const imported = await node.bulk.importEvents([bad], { context: { caller: 'local' } })
    assert.ok(imported.ok)
    assert.equal(imported.value.results[0]?.message, 'blocked: banned by this relay')
    const [latest] = await node.audit.list(1)
    assert.deepEqual([latest?.actor, latest?.method], [`nostr ${admin.pubkey}`, 'changerelayname'])
  }
  await using node = await open('mirror', admin.pubkey)
  const url = await node.listen()
  const info = await fetch(url.replace('ws:', 'http:'), { headers: { Accept: 'application/nostr+json' } })
  assert.equal(((await info.json()) as { name: string }).name, 'Clean mirror')
  await pull(node)
  assert.equal((await node.count({})).count, 1)
  await manage(url, 'unbanpubkey', spammer.pubkey)
  await pull(node)
  assert.equal((await node.count({})).count, 6, 'all but the one event')
})
