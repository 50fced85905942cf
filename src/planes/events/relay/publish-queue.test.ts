import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settle } from '../../../../test/helpers/fake-clock.ts'
import type { IngestResult } from '../ingest.ts'
import { PublishQueue } from './publish-queue.ts'

/** An ingest that decides when the test tells it to: what is under test is the order of things, not events. */
function setup(options: { maxEvents?: number; maxBytes?: number } = {}) {
  const batches: { readonly raws: readonly string[]; readonly who: string; decide(error?: Error): void }[] =
    []
  const answers: string[] = []
  let who = 'nobody'
  const queue = new PublishQueue({
    ingest: {
      accept: (raws, { remote }) =>
        new Promise<readonly IngestResult[]>((resolve, reject) => {
          const results = raws.map(
            (): IngestResult => ({ id: undefined, accepted: true, outcome: 'stored', reason: '' }),
          )
          batches.push({ raws, who: remote, decide: (error) => (error ? reject(error) : resolve(results)) })
        }),
    },
    context: () => ({ source: 'client', remote: who }),
    onResults: (raws) => answers.push(...raws),
    onFailure: (raws, error) => answers.push(...raws.map((raw) => `${raw}: ${(error as Error).message}`)),
    maxEvents: options.maxEvents ?? 100,
    maxBytes: options.maxBytes ?? 1_000,
    signal: new AbortController().signal,
  })
  return { queue, batches, answers, become: (name: string) => (who = name) }
}

describe('publish queue', () => {
  it('hands over together what came in one turn, and then what came meanwhile', async () => {
    const { queue, batches, answers } = setup()
    for (const raw of ['a', 'b']) queue.push(raw)
    await settle()
    queue.push('c')
    await settle()
    for (const raw of ['d', 'e']) queue.push(raw)
    await settle()
    assert.deepEqual(
      batches.map(({ raws }) => raws),
      [['a', 'b'], ['c']],
    )
    // The second batch is ready first, and still answered second.
    batches[1]!.decide()
    await settle()
    assert.deepEqual(answers, [])
    batches[0]!.decide()
    await settle()
    assert.deepEqual(answers, ['a', 'b', 'c'])
    assert.deepEqual(batches[2]!.raws, ['d', 'e'])
    batches[2]!.decide()
    await queue.idle()
    assert.deepEqual(answers, ['a', 'b', 'c', 'd', 'e'])
  })

  it('answers a batch that failed, and goes on', async () => {
    const { queue, batches, answers } = setup()
    queue.push('a')
    await settle()
    batches[0]!.decide(new Error('full'))
    queue.push('b')
    await settle()
    batches[1]!.decide()
    await queue.idle()
    assert.deepEqual(answers, ['a: full', 'b'])
  })

  it('K7 has no room beyond its events or bytes until they are answered', async () => {
    for (const options of [{ maxEvents: 2 }, { maxBytes: 6 }]) {
      const { queue, batches } = setup(options)
      for (const raw of ['abc', 'def']) queue.push(raw)
      assert.equal(queue.hasRoom, false)
      let waited = false
      const room = queue.room().then(() => {
        waited = true
      })
      await settle()
      assert.equal(waited, false)
      batches[0]!.decide()
      await room
      assert.equal(queue.hasRoom, true)
    }
  })

  it('publishes under the identity of the moment: what came before an AUTH came without it', async () => {
    const { queue, batches, become } = setup()
    queue.push('a')
    queue.flush()
    become('alice')
    queue.push('b')
    await settle()
    assert.deepEqual(
      batches.map(({ raws, who }) => [raws[0], who]),
      [
        ['a', 'nobody'],
        ['b', 'alice'],
      ],
    )
    for (const { decide } of batches) decide()
    await queue.idle()
  })
})
