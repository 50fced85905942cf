import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callCommand } from '../helpers/command.ts'
import { notes } from '../helpers/notes.ts'
import { startNode } from '../helpers/running-node.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const now = () => Math.floor(Date.now() / 1_000)
const lines = (events: readonly object[]) => events.map((event) => JSON.stringify(event)).join('\n')

test('sync --print-missing tells which events only one side has, and moves none', {
  timeout: 180_000,
}, async () => {
  await using folder = await temporaryFolder()
  const events = notes(10, 1, undefined, now() - 3_600)
  const [theirs, mine] = [events.slice(0, 7), events.slice(3)]
  await callCommand(['import', '--data', folder.join('theirs')], lines(theirs))
  await callCommand(['import', '--data', folder.join('mine')], lines(mine))
  await using source = await startNode(folder.join('theirs'))
  const sync = (...args: string[]) =>
    callCommand(['sync', source.url, '--data', folder.join('mine'), ...args])
  const { code, stdout, stderr } = await sync('--print-missing')
  assert.equal(code, 0, stderr)
  assert.deepEqual(
    stdout.trim().split('\n').sort(),
    [
      ...events.slice(0, 3).map(({ id }) => `need,${id}`),
      ...events.slice(7).map(({ id }) => `have,${id}`),
    ].sort(),
  )
  assert.match(stderr, /3 events only there, 3 only here; nothing was moved/)
  assert.match((await sync('--dir', 'none')).stdout, /3 events only there, 3 only here/)
  assert.match((await sync('--dir', 'none', '--range', '1m-')).stdout, /0 events only there, 0 only here/)
  const stored = await callCommand(['query', '--count', '--json', '--data', folder.join('mine')])
  assert.equal(JSON.parse(stored.stdout).count, 7)
})

test('sync refuses a range that is none, and one beside since or until', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder()
  const sync = (...args: string[]) =>
    callCommand(['sync', 'ws://127.0.0.1:1', '--data', folder.path, ...args])
  for (const args of [
    ['--range', 'yesterday'],
    ['--timeout', '0'],
    ['--range', '1d-', '--filter', '{"since":1}'],
  ]) {
    const { code, stderr } = await sync(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, /error: /)
  }
})

test('sync --timeout gives up on a relay that says nothing, with 4', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder()
  await using peer = await ScriptPeer.listen({ is: [{ connect: () => ({ answer: () => [] }) }] })
  const args = ['sync', peer.url, '--data', folder.path, '--timeout', '1']
  const { code, stderr } = await callCommand(args)
  assert.equal(code, 4)
  assert.match(stderr, /nothing happened for 1 seconds; gave up \[peer\/unreachable\]/)
})
