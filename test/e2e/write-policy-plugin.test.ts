import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { callCommand } from '../helpers/command.ts'
import { startNode } from '../helpers/running-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'

const script = `#!${process.execPath}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { event: { id, content }, sourceType } = JSON.parse(line)
  const action = content.includes('spam') ? 'reject' : content.includes('troll') ? 'shadowReject' : 'accept'
  console.log(JSON.stringify({ id, action, msg: 'blocked: no spam by ' + sourceType }))
})
`

test('a write policy plugin decides on what comes by WebSocket, import and sync', async () => {
  await using folder = await temporaryFolder()
  const plugin = folder.join('plugin.cjs')
  await writeFile(plugin, script, { mode: 0o755 })
  const author = newAuthor()
  const [good, spam, troll] = ['good', 'spam', 'troll'].map((content) => author.write({ content })) as [
    ReturnType<typeof author.write>,
    ReturnType<typeof author.write>,
    ReturnType<typeof author.write>,
  ]
  await using guarded = await startNode(folder.join('guarded'), ['--write-policy-plugin', plugin])
  {
    using client = await TestClient.connect(guarded.url)
    assert.deepEqual(await client.ask(['EVENT', spam]), ['OK', spam.id, false, 'blocked: no spam by IP4'])
    assert.deepEqual(await client.ask(['EVENT', troll]), ['OK', troll.id, true, ''])
    assert.deepEqual(await client.ask(['EVENT', good]), ['OK', good.id, true, ''])
    client.send(['REQ', 'all', {}])
    const frames = await client.until('EOSE')
    assert.deepEqual(
      frames.filter(([verb]) => verb === 'EVENT').map(([, , event]) => (event as { id: string }).id),
      [good.id],
    )
  }

  const lines = [good, spam, troll].map((event) => JSON.stringify(event)).join('\n')
  const here = ['--data', folder.join('guarded'), '--json']
  const imported = JSON.parse((await callCommand(['import', ...here], lines)).stdout)
  assert.equal(imported.duplicates, 1)
  assert.deepEqual(
    imported.reasons.map(({ reason }: { reason: string }) => reason),
    ['blocked: no spam by Import', 'blocked: no spam by Import'],
  )

  await using open = await startNode(folder.join('open'))
  await callCommand(
    ['import', '--data', folder.join('open')],
    `${lines}\n${JSON.stringify(author.write({ content: 'more' }))}`,
  )
  const synced = await callCommand(['sync', open.url, '--dir', 'down', ...here])
  assert.equal(synced.code, 0, synced.stderr)
  const held = await callCommand(['export', '--data', folder.join('guarded')])
  const contents = held.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).content)
  assert.deepEqual(contents.sort(), ['good', 'more'])
})
