import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { callCommand } from '../helpers/command.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

test('a router configuration becomes relays, once, and only when it is meant', async () => {
  await using folder = await temporaryFolder()
  const file = folder.join('router.conf')
  const here = ['--data', folder.join('data'), '--json']
  const importRouter = async (...flags: string[]) => {
    const { code, stdout, stderr } = await callCommand(['relay', 'import-router', file, ...flags, ...here])
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const listed = async () => JSON.parse((await callCommand(['relay', 'list', ...here])).stdout)
  await writeFile(file, 'streams { a { dir = "down" filter = {"kinds":[1]} urls = ["ws://127.0.0.1:1"] } }')
  const relay = { url: 'ws://127.0.0.1:1/', direction: 'down', filters: [{ kinds: [1] }] }

  assert.deepEqual(await importRouter('--dry-run'), { added: [relay], kept: [], dryRun: true })
  assert.deepEqual(await listed(), [])
  assert.deepEqual(await importRouter(), { added: [relay], kept: [], dryRun: false })
  assert.deepEqual(await importRouter(), { added: [], kept: [relay.url], dryRun: false })
  const [entry] = await listed()
  assert.equal(entry.states[0].direction, 'down')
  assert.deepEqual(entry.states[0].filter, { kinds: [1] })

  await writeFile(file, 'streams {\n a { dir = down }\n}')
  const bad = await callCommand(['relay', 'import-router', file, ...here])
  assert.equal(bad.code, 1)
  assert.match(
    JSON.parse(bad.stderr).error.message,
    /line 2: "d" stands where a value \(text needs quotes\) belongs/,
  )
})
