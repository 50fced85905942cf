import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyCheckpoint } from './checkpoint.ts'
import { begun, openRanges, topRange, wantedRange } from './wanted.ts'

const settings = { backfill: true, historySeconds: undefined, pollingWindowSeconds: 900, overlapSeconds: 300 }
const now = 1_000_000

test('the target is fixed when a link begins, and only a wider history moves it: down', () => {
  const day = { ...settings, historySeconds: 86_400 }
  const first = begun(emptyCheckpoint, day, now)
  assert.equal(first.target, now - 86_400)
  assert.equal(begun(first, day, now + 5_000).target, now - 86_400)
  assert.equal(begun(first, { ...settings, historySeconds: 3_600 }, now).target, now - 86_400)
  assert.equal(
    begun(first, { ...settings, historySeconds: 2 * 86_400 }, now + 5_000).target,
    now - 2 * 86_400,
  )
  assert.equal(begun(first, settings, now).target, 0)
})

test('without backfill only what is new from when the link began is wanted', () => {
  const { target } = begun(emptyCheckpoint, { ...settings, backfill: false }, now)
  assert.equal(target, now - 900)
})

test('a checkpoint of an older version goes on with what it has', () => {
  const old = { coverage: [[5, 900_000] as [number, number]], uploadSeq: 7, gaps: [] }
  const after = begun(old, settings, now)
  assert.deepEqual([after.coverage, after.uploadSeq, after.target], [old.coverage, 7, 0])
})

test("E-62 a filter's own since is never lowered, by the target, by resuming, or by the look for what is new", () => {
  const filter = { since: 999_900 }
  const wanted = wantedRange(filter, 0, now)
  assert.deepEqual(wanted, [999_900, now + 900])
  assert.deepEqual(openRanges(wanted, [[999_900, 999_950]], 300), [[999_900, now + 900]])
  assert.equal(topRange(wanted, [[999_900, 999_950]], settings, now)[0], 999_900)
  assert.equal(topRange(wanted, [], settings, now)[0], 999_900)
})

test('resuming looks at the overlap again and at every gap, newest first', () => {
  const wanted = wantedRange({}, 0, now)
  const coverage = [
    [100, 5_000],
    [6_000, 990_000],
  ] as const
  assert.deepEqual(openRanges(wanted, coverage, 300), [
    [989_701, now + 900],
    [5_001, 5_999],
    [0, 99],
  ])
})

test('an event dated further ahead than clocks differ is outside of what is wanted', () => {
  assert.equal(wantedRange({}, 0, now)[1], now + 900)
  assert.equal(wantedRange({ until: 50 }, 0, now)[1], 50)
})
