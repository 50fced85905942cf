import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { generateCorpus } from '../../src/planes/events/event-corpus.ts'
import { runCommand, startCommand } from '../helpers/command.ts'
import { startNode } from '../helpers/running-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const fixture = new URL('../fixtures/real-events.jsonl', import.meta.url)

const corpus = (seed: number, count: number) =>
  Array.fromAsync(generateCorpus({ seed, count, authors: 20, from: 1_700_000_000, to: 1_710_000_000 }))

const sorted = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .sort()

async function exported(data: string): Promise<string[]> {
  const { code, stdout, stderr } = await runCommand(['export', '--data', data])
  assert.equal(code, 0, stderr)
  return sorted(stdout)
}

async function imported(data: string, lines: readonly string[]): Promise<void> {
  const { code, stderr } = await runCommand(['import', '--data', data], lines.join('\n'))
  assert.equal(code, 0, stderr)
}

async function synced(url: string, data: string, direction: string) {
  const { code, stdout, stderr } = await runCommand([
    'sync',
    url,
    '--dir',
    direction,
    '--data',
    data,
    '--json',
  ])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as {
    run: { proof: { equal: boolean }; progress: { counters: Record<string, number> } }
  }
}

test('down makes an empty node hold what the relay holds, byte for byte, real events among them', async () => {
  await using folder = await temporaryFolder()
  const real = (await readFile(fixture, 'utf8')).trim().split('\n')
  await imported(folder.join('a'), [...real, ...(await corpus(1, 1_500))])
  await using a = await startNode(folder.join('a'))
  const { run } = await synced(a.url, folder.join('b'), 'down')
  const [atA, atB] = [await exported(folder.join('a')), await exported(folder.join('b'))]
  assert.deepEqual(atB, atA)
  assert.equal(run.proof.equal, true, 'K10 both sides prove that they hold the same')
  assert.ok(new Set(atB).intersection(new Set(real)).size > 500, 'the real events came through unchanged')
})

test('up makes the relay hold what we hold', async () => {
  await using folder = await temporaryFolder()
  await imported(folder.join('b'), await corpus(2, 1_500))
  await using a = await startNode(folder.join('a'))
  const { run } = await synced(a.url, folder.join('b'), 'up')
  assert.deepEqual(await exported(folder.join('a')), await exported(folder.join('b')))
  assert.equal(run.proof.equal, true)
})

test('both brings two different nodes into step, and a second run moves nothing', async () => {
  await using folder = await temporaryFolder()
  const [shared, onlyA, onlyB] = [await corpus(3, 800), await corpus(4, 400), await corpus(5, 400)]
  await imported(folder.join('a'), [...shared, ...onlyA])
  await imported(folder.join('b'), [...shared, ...onlyB])
  await using a = await startNode(folder.join('a'))
  await synced(a.url, folder.join('b'), 'both')
  assert.deepEqual(await exported(folder.join('a')), await exported(folder.join('b')))
  const { counters } = (await synced(a.url, folder.join('b'), 'both')).run.progress
  assert.equal(counters.received, 0)
  assert.equal(counters.uploaded, 0)
})

test('commands work through the running node of a data directory, which no second process can open', async () => {
  await using folder = await temporaryFolder()
  await using a = await startNode(folder.join('a'))
  await using b = await startNode(folder.join('b'))
  await imported(folder.join('a'), await corpus(6, 300))
  await synced(a.url, folder.join('b'), 'down')
  assert.deepEqual(await exported(folder.join('b')), await exported(folder.join('a')))
  const second = await runCommand(['up', '--data', folder.join('a'), '--port', '0'])
  assert.equal(second.code, 1)
  assert.match(second.stderr, /^syncline: .*\[store\/busy\]\n$/)
  const status = JSON.parse((await runCommand(['status', '--data', folder.join('b'), '--json'])).stdout)
  assert.equal(status.listening, b.url)
})

test('K3 a sync killed half-way ends identical when started again, repeating at most one batch', async () => {
  await using folder = await temporaryFolder()
  const count = 6_000
  await imported(folder.join('a'), await corpus(7, count))
  await using a = await startNode(folder.join('a'))
  const held = (await exported(folder.join('a'))).length
  const args = ['sync', a.url, '--dir', 'down', '--data', folder.join('b')]
  const { child, result } = startCommand(args)
  await untilStored(folder.join('b'), 200)
  child.kill('SIGKILL')
  await result
  const before = (await exported(folder.join('b'))).length
  assert.ok(before > 0 && before < held, `killed with ${before} of ${held} stored`)
  const { counters } = (await synced(a.url, folder.join('b'), 'down')).run.progress
  assert.deepEqual(await exported(folder.join('b')), await exported(folder.join('a')))
  assert.ok(
    (counters.received ?? 0) <= held - before + 500,
    `received ${counters.received} for ${held - before}`,
  )
})

test('K1 a node killed half-way through an import keeps every acknowledged event', async () => {
  await using folder = await temporaryFolder()
  const lines = await corpus(8, 6_000)
  await writeFile(folder.join('corpus.jsonl'), lines.join('\n'))
  const node = await startNode(folder.join('a'))
  const { result } = startCommand([
    'import',
    folder.join('corpus.jsonl'),
    '--data',
    folder.join('a'),
    '--json',
  ])
  await untilStored(folder.join('a'), 500)
  await node.kill('SIGKILL')
  const { code, stderr } = await result
  assert.equal(code, 4)
  assert.match(stderr, /peer\/unreachable/)
  assert.ok((await exported(folder.join('a'))).length >= 500)
})

/** Polls the store's file from outside until the process writing to it has committed so many events. */
async function untilStored(data: string, count: number): Promise<void> {
  for (;;) {
    const path = join(data, 'syncline.db')
    if (existsSync(path) && storedIn(path) >= count) return
    await setImmediate()
  }
}

function storedIn(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return Number(database.prepare('SELECT count(*) AS count FROM events').get()?.count)
  } catch {
    // The writer is still creating the file.
    return 0
  } finally {
    database.close()
  }
}
