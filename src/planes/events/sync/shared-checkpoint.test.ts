import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyCheckpoint } from './checkpoint.ts'
import { type Coverage, cover, type Interval } from './coverage.ts'
import { intersection, sharedCheckpoint } from './shared-checkpoint.ts'

const interval = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 10 }))
  .map(([from, length]): Interval => [from, from + length])
const coverage = fc.array(interval, { maxLength: 6 }).map((all) => all.reduce(cover, [] as Coverage))
const has = (of: Coverage, second: number) => of.some(([a, b]) => a <= second && second <= b)

test('what two coverages share is exactly the seconds that are in both', () => {
  fc.assert(
    fc.property(coverage, coverage, (one, other) => {
      const common = intersection(one, other)
      for (let second = 0; second <= 55; second++)
        assert.equal(has(common, second), has(one, second) && has(other, second))
    }),
  )
})

test('a link inherits what all of its parts knew, their gaps included, and nothing from one that has not begun', () => {
  const gap = { second: 15, reason: 'dense_second' }
  const a = { ...emptyCheckpoint, coverage: [[10, 30]] as [number, number][], gaps: [gap], uploadSeq: 9 }
  const b = { ...emptyCheckpoint, coverage: [[0, 20]] as [number, number][] }
  assert.deepEqual(sharedCheckpoint([a, b]), { ...emptyCheckpoint, coverage: [[10, 20]], gaps: [gap] })
  assert.equal(sharedCheckpoint([a, undefined]), undefined)
  assert.equal(sharedCheckpoint([undefined, a]), undefined)
  assert.equal(sharedCheckpoint([]), undefined)
})
