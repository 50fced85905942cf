import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAgeRange } from './age-range.ts'

const now = 1_800_000_000

test('ages become times: either end may be missing', () => {
  const day = 86_400
  assert.deepEqual(parseAgeRange('2M-', now), { since: now - 61 * day })
  assert.deepEqual(parseAgeRange('1Y-3w', now), { since: now - 31_556_952, until: now - 21 * day })
  assert.deepEqual(parseAgeRange('-90s', now), { until: now - 90 })
  assert.deepEqual(parseAgeRange('2h-30m', now), { since: now - 7_200, until: now - 1_800 })
  assert.deepEqual(parseAgeRange('999999Y-', now), { since: 0 }, 'before time began')
})

test('what is no range, or runs backwards, is none', () => {
  for (const text of ['', '-', '2M', '2x-', 'M-', '1w-2w', '-1', '1d-2d-3d', '1.5d-', ' 1d-'])
    assert.equal(parseAgeRange(text, now), undefined, JSON.stringify(text))
})
