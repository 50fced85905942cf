import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Coverage, cover, gaps, type Interval } from './coverage.ts'

const interval = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]): Interval => [Math.min(a, b), Math.max(a, b)])
const seconds = ([from, to]: Interval) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const covered = (coverage: Coverage) => coverage.flatMap(seconds)

test('coverage holds exactly the seconds that were added, in sorted, separate intervals', () => {
  fc.assert(
    fc.property(fc.array(interval), (intervals) => {
      const coverage = intervals.reduce(cover, [] as Coverage)
      assert.deepEqual(
        covered(coverage),
        [...new Set(intervals.flatMap(seconds))].sort((a, b) => a - b),
      )
      for (const [i, [from]] of coverage.entries())
        if (i > 0) assert.ok(from > (coverage[i - 1]?.[1] ?? 0) + 1)
    }),
  )
})

test('gaps and coverage together are the wanted range, newest gap first', () => {
  fc.assert(
    fc.property(fc.array(interval), interval, (intervals, wanted) => {
      const coverage = intervals.reduce(cover, [] as Coverage)
      const missing = gaps(coverage, wanted)
      const have = new Set(covered(coverage))
      assert.deepEqual(
        missing.toReversed().flatMap(seconds),
        seconds(wanted).filter((second) => !have.has(second)),
      )
    }),
  )
})

test('an empty interval covers nothing', () => {
  assert.deepEqual(cover([[1, 2]], [9, 8]), [[1, 2]])
})
