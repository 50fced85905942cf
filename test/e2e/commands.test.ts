import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { test } from 'node:test'
import { callCommand, runCommand } from '../helpers/command.ts'
import { startNode } from '../helpers/running-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const fixture = new URL('../fixtures/real-events.jsonl', import.meta.url)
const firstLines = async (count: number) => (await readFile(fixture, 'utf8')).split('\n').slice(0, count)

const wrongUsage: (readonly string[])[] = [
  ['frobnicate'],
  ['sync'],
  ['sync', 'ws://127.0.0.1:1', '--dir', 'sideways'],
  ['sync', 'ws://127.0.0.1:1', '--filter', '{"kinds":"1"}'],
  ['query', '--filter', 'not json'],
  ['relay', 'add'],
  ['relay', 'add', 'ws://x', '--every', 'soon'],
  ['relay', 'add', 'wss://x', '--tls-default', '--pin', 'x'],
  ['up', '--no-such-flag'],
]
// The first of each list as a process of its own, the others, which would tell no more, in this one.
for (const [at, args] of wrongUsage.entries()) {
  const run = at === 0 ? runCommand : callCommand
  test(`wrong usage exits with 2 and says what is wrong: syncline ${args.join(' ')}`, async () => {
    await using folder = await temporaryFolder()
    const { code, stdout, stderr } = await run([...args, ...(args.length > 1 ? ['--data', folder.path] : [])])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /error|usage/)
  })
}

const explaining: (readonly string[])[] = [
  ['--help'],
  ['sync', '--help'],
  ['relay', '--help'],
  ['relay', 'add', '--help'],
  ['--version'],
]
for (const [at, args] of explaining.entries()) {
  const run = at === 0 ? runCommand : callCommand
  test(`syncline ${args.join(' ')} explains and exits with 0`, async () => {
    const { code, stdout } = await run(args)
    assert.equal(code, 0)
    assert.ok(stdout.length > 3)
  })
}

test('a failure is one line with a stable code, and exits with 1, or 4 when nobody could be reached', async () => {
  await using folder = await temporaryFolder()
  const bad = await runCommand(['sync', 'http://relay.example', '--data', folder.path])
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /^syncline: .* \[config\/invalid\]\n$/)
  const gone = await runCommand(['sync', 'ws://127.0.0.1:1', '--data', folder.path])
  assert.equal(gone.code, 4)
  assert.match(gone.stderr, /^syncline: .* \[peer\/unreachable\]\n$/)
})

test('import says which lines it refused and why, and stores the others as they came', async () => {
  await using folder = await temporaryFolder()
  const [first = '', second = ''] = await firstLines(2)
  const forged = second.replace(/"content":"/, '"content":"x')
  const input = [first, forged, '{broken', second].join('\n')
  const { code, stdout } = await runCommand(['import', '--data', folder.path, '--json'], input)
  assert.equal(code, 0)
  const report = JSON.parse(stdout)
  assert.equal(report.accepted, 2)
  assert.equal(report.rejected, 2)
  assert.deepEqual(
    report.reasons.map(({ line, reason }: { line: number; reason: string }) => [line, reason.split(':')[0]]),
    [
      [2, 'invalid'],
      [3, 'invalid'],
    ],
  )
  const out = await runCommand(['export', '--data', folder.path])
  assert.deepEqual(out.stdout.trim().split('\n').sort(), [first, second].sort())
  const again = await runCommand(['import', '--data', folder.path, '--json'], [first, second].join('\n'))
  assert.equal(JSON.parse(again.stdout).duplicates, 2)
})

test('query honours filter and limit, newest first; --count tells number and fingerprint', async () => {
  await using folder = await temporaryFolder()
  await callCommand(['import', '--data', folder.path], (await firstLines(50)).join('\n'))
  const { stdout } = await callCommand([
    'query',
    '--data',
    folder.path,
    '--filter',
    '{"kinds":[1],"limit":5}',
  ])
  const times = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).created_at as number)
  assert.equal(times.length, 5)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  )
  const counted = JSON.parse(
    (await callCommand(['query', '--data', folder.path, '--count', '--json'])).stdout,
  )
  assert.equal(counted.count, 50)
  assert.match(counted.fingerprint, /^[0-9a-f]{32}$/)
})

test('relays are added, shown, changed, listed and removed; status tells about each', async () => {
  await using folder = await temporaryFolder()
  const relay = async (...args: string[]) => callCommand(['relay', ...args, '--data', folder.path, '--json'])
  const url = 'ws://127.0.0.1:1/'
  const added = JSON.parse(
    (await relay('add', url, '--dir', 'down', '--filter', '{"kinds":[1]}', '--every', '1m')).stdout,
  )
  assert.equal(added.states[0].direction, 'down')
  assert.equal(added.states[0].schedule, '1m')
  assert.equal((await relay('add', 'WS://127.0.0.1:1')).code, 1, 'another spelling of the same relay')
  const changed = JSON.parse((await relay('set', url, '--name', 'first', '--disable')).stdout)
  assert.equal(changed.labels.name, 'first')
  assert.equal(changed['enabled?'], false)
  assert.equal(changed.states[0].id, added.states[0].id, 'what is not named stays, with its checkpoint')
  assert.equal(JSON.parse((await relay('list')).stdout).length, 1)
  const status = await callCommand(['status', '--data', folder.path])
  assert.match(status.stdout, /first \(ws:\/\/127\.0\.0\.1:1\/\): disabled/)
  assert.equal((await relay('remove', url)).code, 0)
  assert.equal((await relay('show', url)).code, 1)
})

test('a running node takes up a relay that is added, and says when it tries an unreachable one again', async () => {
  await using folder = await temporaryFolder()
  await using node = await startNode(folder.join('b'))
  await callCommand(['relay', 'add', 'ws://127.0.0.1:1', '--data', folder.join('b')])
  for (;;) {
    const { stdout } = await callCommand(['status', '--data', folder.join('b'), '--json'])
    const [entry] = JSON.parse(stdout).relays
    if (entry.states[0].next_retry_at === null) continue
    assert.ok(Date.parse(entry.states[0].next_retry_at) > 0)
    assert.equal(entry.runtime.fault.code, 'peer/unreachable')
    break
  }
  assert.match(node.url, /^ws:\/\/127\.0\.0\.1:\d+$/)
})

test("the identity's key is readable by its owner only and stays the same", async () => {
  await using folder = await temporaryFolder()
  const identity = async () =>
    JSON.parse((await callCommand(['status', '--data', folder.path, '--json'])).stdout).identity
  assert.equal(await identity(), await identity())
  assert.equal((await stat(folder.join('identity.key'))).mode & 0o777, 0o600)
})

test('demo ends by itself with equal counts and fingerprints, the real events among them', async () => {
  const { code, stdout, stderr } = await runCommand(['demo', '--json'])
  assert.equal(code, 0, stderr)
  const proof = JSON.parse(stdout)
  assert.equal(proof.equal, true)
  assert.deepEqual(proof.alice, proof.bob)
  assert.ok(proof.moved.uploaded > 0 && proof.moved.accepted > 500, 'events moved both ways')
})

test('E-109 reset asks before it touches all relays, and does nothing on anything but yes', async () => {
  await using folder = await temporaryFolder()
  await runCommand(['relay', 'add', 'ws://127.0.0.1:1', '--every', '1m', '--data', folder.path])
  const reset = async (args: readonly string[], input: string) =>
    JSON.parse((await runCommand(['reset', ...args, '--data', folder.path, '--json'], input)).stdout).reset
  for (const input of ['', 'n\n', 'yessir\n']) assert.equal(await reset([], input), 0)
  assert.equal(await reset([], 'y\n'), 1)
  assert.equal(await reset(['--yes'], ''), 1)
  assert.equal(await reset(['ws://127.0.0.1:1'], ''), 1, 'one relay, named, needs no asking')
})

test('E-74 after a reset the sync starts from the beginning and still ends in step, without moving events again', async () => {
  await using folder = await temporaryFolder()
  await callCommand(['import', '--data', folder.join('a')], (await firstLines(60)).join('\n'))
  await using a = await startNode(folder.join('a'))
  const sync = async () =>
    JSON.parse((await callCommand(['sync', a.url, '--data', folder.join('b'), '--json'])).stdout).run
  await sync()
  const relay = async () =>
    JSON.parse((await callCommand(['relay', 'show', a.url, '--data', folder.join('b'), '--json'])).stdout)
      .states[0]
  assert.equal((await relay()).coverage.length, 1)
  await callCommand(['reset', a.url, '--data', folder.join('b')])
  assert.deepEqual((await relay()).coverage, [])
  const { proof, progress } = await sync()
  assert.equal(proof.equal, true)
  assert.equal(progress.counters.received, 0)
})

test('config shows what applies, and refuses what is wrong with the place it came from', async () => {
  await using folder = await temporaryFolder()
  const shown = JSON.parse((await callCommand(['config', '--data', folder.path, '--json'])).stdout)
  assert.equal(shown.data, folder.path)
  assert.equal(shown.port, 7777)
  assert.match(
    (await callCommand(['config', '--data', folder.path])).stdout,
    /^port +7777 {2}\(SYNCLINE_PORT\)$/m,
  )
})
