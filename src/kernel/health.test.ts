import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HealthEvent, observe, unknownHealth } from './health.ts'

const failure = (at: number): HealthEvent => ({
  kind: 'failure',
  at,
  code: 'peer/unreachable',
  message: 'gone',
})
const success = (at: number, stable: boolean): HealthEvent => ({ kind: 'success', at, stable })

test('failures in a row are counted, and what went wrong stays explainable after recovery', () => {
  const after = (last: number) =>
    Array.from({ length: last }, (_, i) => failure(i + 1)).reduce(observe, unknownHealth)
  assert.deepEqual(
    [0, 1, 2, 5].map((last) => after(last).consecutiveFailures),
    [0, 1, 2, 5],
  )
  assert.equal(after(5).firstFailureAt, 1)
  const answered = [failure(1), failure(2), success(9, false)].reduce(observe, unknownHealth)
  assert.equal(answered.lastSuccessAt, 9)
  assert.equal(answered.lastError?.message, 'gone')
})

test('E-53 P-75 an answer alone does not end a row of failures, a connection that held does', () => {
  const flapping = [failure(1), success(2, false), failure(3), success(4, false), failure(5)]
  assert.equal(flapping.reduce(observe, unknownHealth).consecutiveFailures, 3)
  const well = [...flapping, success(6, true)].reduce(observe, unknownHealth)
  assert.deepEqual(well, { ...well, consecutiveFailures: 0, firstFailureAt: undefined, notBefore: undefined })
})

test('several links of one peer that fail together count as one failure', () => {
  const first = { ...observe(unknownHealth, failure(1)), notBefore: 100 }
  const second = observe(first, failure(2))
  assert.equal(second.consecutiveFailures, 1)
  assert.equal(second.lastError?.at, 2)
  assert.equal(observe(second, failure(100)).consecutiveFailures, 2)
})

test('forgiven: the next attempt need not wait, and what went wrong is still known', () => {
  const held = { ...observe(unknownHealth, failure(1)), notBefore: 100 }
  const forgiven = observe(held, { kind: 'forgiven' })
  assert.equal(forgiven.notBefore, undefined)
  assert.equal(forgiven.consecutiveFailures, 0)
  assert.equal(forgiven.lastError?.at, 1)
})
