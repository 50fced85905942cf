import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type EventsCheckpoint, emptyCheckpoint } from './checkpoint.ts'
import { type Coverage, cover, type Interval } from './coverage.ts'
import { coverageFacts } from './coverage-facts.ts'

const at = (coverage: Coverage, rest: Partial<EventsCheckpoint> = {}): EventsCheckpoint => ({
  ...emptyCheckpoint,
  coverage: coverage.map(([a, b]) => [a, b]),
  ...rest,
})

test('E-73 completed is exactly that no wanted second up to the last scan is open', () => {
  const interval = fc
    .tuple(fc.nat(90), fc.nat(90))
    .map(([a, b]): Interval => [Math.min(a, b), Math.max(a, b)])
  fc.assert(
    fc.property(fc.array(interval), fc.nat(90), (intervals, target) => {
      const coverage = intervals.reduce(cover, [] as Coverage)
      const facts = coverageFacts(at(coverage, { target }), {}, 100)
      const top = coverage.at(-1)?.[1]
      const covered = (second: number) => coverage.some(([a, b]) => second >= a && second <= b)
      const wanted =
        top === undefined ? [] : Array.from({ length: Math.max(0, top - target + 1) }, (_, i) => target + i)
      assert.equal(facts.completed, top !== undefined && wanted.every(covered))
      assert.equal(facts.percent === 100, facts.completed)
    }),
  )
})

test('how far it is: down to where, how much of it, and how far behind now', () => {
  const facts = coverageFacts(
    at(
      [
        [500, 600],
        [800, 1_000],
      ],
      { target: 0, cursor: [990, 'ab'] },
    ),
    {},
    1_060,
  )
  assert.equal(facts.until, 800)
  assert.equal(facts.lagSeconds, 60)
  assert.deepEqual(facts.missing, [
    [601, 799],
    [0, 499],
  ])
  assert.equal(facts.percent, 30.1)
  assert.deepEqual(facts.cursor, [990, 'ab'])
})

test('a filter that ends in the past is up to date for ever once it is covered', () => {
  const facts = coverageFacts(at([[0, 500]], { target: 0 }), { until: 500 }, 9_000)
  assert.deepEqual([facts.completed, facts.lagSeconds], [true, 0])
})

test('before the first attempt nothing is known', () => {
  const { completed, percent, lagSeconds, until } = coverageFacts(undefined, {}, 9_000)
  assert.deepEqual([completed, percent, lagSeconds, until], [false, 0, undefined, undefined])
})
