import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startNode } from '../helpers/running-node.ts'
import { mountSmallDisk } from '../helpers/small-disk.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

test('K1 a relay on a full disk answers error:, keeps serving, loses nothing acknowledged, and recovers', async (test) => {
  await using folder = await temporaryFolder()
  const path = folder.join('disk')
  using disk = mountSmallDisk(path, 12)
  if (disk === undefined) return test.skip('needs the right to mount')
  const ballast = join(path, 'ballast')
  writeFileSync(ballast, new Uint8Array(4_000_000))
  await using node = await startNode(join(path, 'data'), ['--log-level', 'silent'])
  using client = await TestClient.connect(node.url)
  const author = newAuthor()
  const acknowledged: string[] = []
  const publish = async (content: string) => {
    const event = author.write({ content })
    client.send(['EVENT', event])
    const [, id, accepted, reason] = await client.next()
    assert.equal(id, event.id)
    if (accepted === true) acknowledged.push(event.id)
    return String(reason)
  }
  let refusal = ''
  for (let i = 0; refusal === '' && i < 1_000; i++) refusal = await publish(`${i} ${'x'.repeat(100_000)}`)
  assert.match(refusal, /^error: /)
  assert.ok(acknowledged.length > 5)

  using reader = await TestClient.connect(node.url)
  assert.deepEqual(
    await storedIds(reader),
    acknowledged.toSorted(),
    'another connection reads everything acknowledged',
  )
  rmSync(ballast)
  assert.equal(await publish('there is room again'), '')
  await node.kill('SIGKILL')
  await using again = await startNode(join(path, 'data'))
  using after = await TestClient.connect(again.url)
  assert.deepEqual(await storedIds(after), acknowledged.toSorted())
})

async function storedIds(client: TestClient): Promise<string[]> {
  client.send(['REQ', 'all', {}])
  const ids: string[] = []
  for (;;) {
    const [verb, , event] = await client.next()
    if (verb === 'EOSE') return ids.sort()
    ids.push((event as { id: string }).id)
  }
}
