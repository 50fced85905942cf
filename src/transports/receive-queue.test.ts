import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ReceiveQueue } from './receive-queue.ts'

const limits = { highBytes: 100, lowBytes: 20, highMessages: 10, lowMessages: 3 }

describe('receive queue', () => {
  it('is full at the high mark and has room again at the low one, by bytes and by messages (K7)', async () => {
    const changes: boolean[] = []
    const queue = new ReceiveQueue((full) => changes.push(full), limits)
    for (let i = 0; i < 5; i += 1) queue.push('x'.repeat(20))
    assert.deepEqual(changes, [true])
    for (let i = 0; i < 3; i += 1) await queue.next()
    assert.equal(queue.full, true)
    await queue.next()
    assert.deepEqual(changes, [true, false])
    await queue.next()
    for (let i = 0; i < 10; i += 1) queue.push('')
    assert.deepEqual(changes, [true, false, true])
    for (let i = 0; i < 7; i += 1) await queue.next()
    assert.deepEqual(changes, [true, false, true, false])
  })

  it('hands out every message once and in order, to readers who come before or after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 200 }), fc.boolean(), async (steps, breaks) => {
        const queue = new ReceiveQueue(() => {}, limits)
        const reads: Promise<IteratorResult<string | Uint8Array, undefined>>[] = []
        let pushed = 0
        for (const push of steps) {
          if (push) queue.push(String(pushed++))
          else reads.push(queue.next())
        }
        if (breaks) queue.fail(new Error('broke'))
        else queue.end()
        queue.push('after the end')
        while (reads.length < pushed + 1) reads.push(queue.next())
        const outcomes = await Promise.allSettled(reads)
        const values = outcomes.flatMap((o) =>
          o.status === 'fulfilled' && !o.value.done ? [o.value.value] : [],
        )
        assert.deepEqual(values, [...Array(pushed).keys()].map(String))
        const rest = outcomes.slice(pushed)
        assert.ok(rest.length > 0)
        assert.ok(
          rest.every((o) => (breaks ? o.status === 'rejected' : o.status === 'fulfilled' && o.value.done)),
        )
      }),
      { numRuns: 200 },
    )
  })

  it('loses nothing when the read places are cut off while it is never empty', async () => {
    const queue = new ReceiveQueue(() => {}, { ...limits, highBytes: 1e9, highMessages: 1e9 })
    queue.push('0')
    for (let i = 1; i <= 20_000; i += 1) {
      queue.push(String(i))
      assert.equal((await queue.next()).value, String(i - 1))
    }
    assert.equal((await queue.next()).value, '20000')
  })

  it('forgets everything when discarded', async () => {
    const queue = new ReceiveQueue(() => {}, limits)
    queue.push('a')
    queue.discard()
    queue.push('b')
    assert.deepEqual(await queue.next(), { done: true, value: undefined })
  })
})
