import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { NostrEvent } from './event.ts'
import { generateCorpus } from './event-corpus.ts'
import { parseEvent } from './event-parser.ts'
import { defaultLimits } from './limits.ts'
import { createWorkerVerifier } from './verifier.workers.ts'

const options = { seed: 7, count: 600, authors: 30, from: 1_700_000_000, to: 1_700_000_300 }
const corpus = (changes: Partial<typeof options> = {}) =>
  Array.fromAsync(generateCorpus({ ...options, ...changes }))

it('every generated event is genuine, distinct, one line and of its time', async () => {
  await using verifier = createWorkerVerifier({ workers: 1 })
  const raws = await corpus()
  const events = raws.map((raw) => parseEvent(raw, defaultLimits).event)
  assert.ok((await verifier.verify(events)).every(Boolean))
  assert.equal(new Set(events.map(({ id }) => id)).size, options.count)
  assert.ok(raws.every((raw) => !raw.includes('\n')))
  assert.ok(events.every(({ created_at }) => created_at >= options.from && created_at <= options.to))
  assert.equal(events.at(-1)?.created_at, options.to)
})

it('the same options give the same events, another seed gives others', async () => {
  const first = await corpus({ count: 60 })
  assert.deepEqual(await corpus({ count: 60 }), first)
  const other = new Set(await corpus({ count: 60, seed: 8 }))
  assert.equal(first.filter((raw) => other.has(raw)).length, 0)
})

it('looks like a relay: a mix of kinds, few busy authors, threads, some 700 bytes each', async () => {
  const raws = await corpus({ count: 1_000 })
  const events = raws.map((raw) => JSON.parse(raw) as NostrEvent)
  const shareOf = (kind: number) => events.filter((event) => event.kind === kind).length / events.length
  for (const kind of [0, 1, 3, 6, 7, 30_023]) assert.ok(shareOf(kind) > 0.005, `kind ${kind}`)
  assert.ok(shareOf(1) > 0.5)
  const perAuthor = Map.groupBy(events, ({ pubkey }) => pubkey)
  const busiest = Math.max(...[...perAuthor.values()].map(({ length }) => length))
  assert.ok(busiest > 0.15 * events.length, `the busiest author wrote ${busiest}`)
  const ids = new Set(events.map(({ id }) => id))
  const answers = events.flatMap(({ tags }) => tags.filter(([name]) => name === 'e').map(([, id]) => id!))
  assert.ok(answers.length > 300)
  assert.ok(answers.every((id) => ids.has(id)))
  const bytes = raws.reduce((sum, raw) => sum + Buffer.byteLength(raw), 0) / raws.length
  assert.ok(bytes > 500 && bytes < 900, `${bytes} bytes on average`)
})

it('nobody and nothing is possible, and it ends when told to', async () => {
  assert.deepEqual(await corpus({ count: 0 }), [])
  assert.equal((await corpus({ count: 1, authors: 1 })).length, 1)
  const abort = new AbortController()
  const reason = new Error('enough')
  const running = Array.fromAsync(generateCorpus({ ...options, count: 1e9, signal: abort.signal }))
  abort.abort(reason)
  await assert.rejects(running, reason)
})
