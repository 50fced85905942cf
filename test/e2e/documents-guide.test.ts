import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const guide = new URL('../../docs/guide/documents.md', import.meta.url)
const entry = fileURLToPath(new URL('../../src/cli/syncline.ts', import.meta.url))
const modules: Readonly<Record<string, URL>> = {
  syncline: new URL('../../src/node/index.ts', import.meta.url),
  'syncline/documents': new URL('../../src/planes/documents/index.ts', import.meta.url),
}

it('the guide to documents runs as it stands, from the first command to the program', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const text = await readFile(guide, 'utf8')
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  // Free ports; the guide itself says nothing of those of its first node.
  const env = { ...process.env, SYNCLINE_PORT: '0', SYNCLINE_ADMIN_PORT: '0', SYNCLINE_LOG_LEVEL: 'error' }
  const npx = `npx() { shift; "${process.execPath}" "${entry}" "$@"; }`
  const nodes: ChildProcess[] = []
  const stop = async (node: ChildProcess) => {
    if (node.exitCode !== null || node.signalCode !== null) return
    const gone = once(node, 'close')
    node.kill('SIGTERM')
    await gone
  }
  let script = `set -eu\n${npx}\n`
  for (const block of blocks) {
    const [, flags] = /^npx syncline up (.*)\n$/.exec(block) ?? []
    if (flags === undefined) script += block
    else {
      const node = spawn(process.execPath, [entry, 'up', ...flags.split(' ')], { cwd: folder.path, env })
      stack.defer(() => stop(node))
      nodes.push(node)
      const [said] = (await once(node.stdout, 'data')) as [Buffer]
      assert.match(String(said), /^Relay listening/)
    }
  }
  assert.equal(nodes.length, 2)
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script], { cwd: folder.path, env })
  assert.match(stdout, /^12$/m)
  assert.match(stdout, /Access to \w+ was asked for; somebody at ed25519:\S+ has to decide\./)
  assert.match(stdout, /"Ada" \(ed25519:\S+\) asked for write:10 in notes .*: "We met on Monday"/)
  assert.match(
    stdout,
    /Ada may write:10 in notes\.\nJoined notes \(\w+\): 4 entries, this node may: write:10\./,
  )
  assert.match(
    stdout,
    /in step; 0 received, \d sent\n\{\n {2}"list": \{\n {4}"eggs": 12,\n {4}"milk": 3\n {2}\},\n {2}"title": "Shopping"\n\}/,
  )
  assert.match(stdout, /^everybody may read in notes\.\neverybody may nothing more in notes\.$/m)
  assert.match(stdout, /approved as write:10: "We met on Monday"/)
  assert.match(stdout, /Documents: 1 database \(1 shared\), \d entries; 1 peer, \d of 1 copy in step\./)
  assert.match(stderr, /^It is of use on this machine only: .*\n$/)

  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(text) ?? []
  const program = folder.join('program.ts')
  await writeFile(
    program,
    example.replaceAll(/from '(.+)'/g, (_, name: string) => `from ${JSON.stringify(modules[name]!.href)}`),
  )
  await stop(nodes[1]!)
  const ran = await promisify(execFile)(process.execPath, [program], { cwd: folder.path, env })
  assert.match(ran.stdout, /^in-step \{\n[\s\S]*written: \{ by: 'a program' \}/)
  assert.equal(ran.stderr, '')
})
