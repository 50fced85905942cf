import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultRetryPolicy, nextDelay } from './retry.ts'

const attempts = fc.integer({ min: 1, max: 5_000 })
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true })

test('E-52 a delay lies within half of the exponential ceiling, and never beyond the maximum', () => {
  fc.assert(
    fc.property(attempts, random, (attempt, r) => {
      const delay = nextDelay(defaultRetryPolicy, attempt, r)
      const ceiling = Math.min(300_000, 1_000 * 2 ** Math.min(attempt - 1, 30))
      assert.ok(delay !== undefined && delay >= ceiling / 2 && delay <= ceiling)
    }),
  )
})

test('E-46 the slow lane doubles from five minutes to an hour, and never gives up', () => {
  const delays = [1, 2, 3, 4, 5, 900].map((n) => nextDelay(defaultRetryPolicy, n, 0.999_999_9, 0, true))
  assert.deepEqual(delays, [299_999, 599_999, 1_199_999, 2_399_999, 3_599_999, 3_599_999])
})

test('after so many failures in a row the slow lane is taken for whatever reason', () => {
  const policy = { ...defaultRetryPolicy, slow: { ...defaultRetryPolicy.slow, after: 3 } }
  assert.deepEqual(
    [1, 2, 3, 4, 9].map((n) => nextDelay(policy, n, 0)),
    [500, 1_000, 150_000, 300_000, 1_800_000],
  )
})

test("the peer's own hint is a floor, also beyond the maximum", () => {
  assert.equal(nextDelay(defaultRetryPolicy, 1, 0, 900_000), 900_000)
  assert.equal(nextDelay(defaultRetryPolicy, 20, 0.5, 10), 225_000)
})

test('a policy with a last attempt gives up after it', () => {
  const policy = { ...defaultRetryPolicy, maxAttempts: 3 }
  assert.notEqual(nextDelay(policy, 3, 0.5), undefined)
  assert.equal(nextDelay(policy, 4, 0.5), undefined)
})
