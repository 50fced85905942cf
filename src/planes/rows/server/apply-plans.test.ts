import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ApplyPlans, type ApplyRun, runsOf } from './apply-plans.ts'

const row = fc.record({
  tableId: fc.integer({ min: 1, max: 2 }),
  opCode: fc.constantFrom(1 as const, 2 as const),
  columns: fc.constantFrom(['id'], ['id', 'name']),
})

describe('apply plans', () => {
  it('chunks of any size make the same plan as the whole', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        (rows, size) => {
          const plans = new ApplyPlans()
          for (let start = 0; start < rows.length; start += size)
            plans.extend('p', runsOf(start, rows.slice(start, start + size)))
          assert.deepEqual(plans.whole('p', rows.length), runsOf(0, rows))
          assert.equal(plans.whole('p', rows.length + 1), undefined)
        },
      ),
    )
  })

  it('a plan with a gap, or one that was forgotten, is none', () => {
    const plans = new ApplyPlans()
    const one = (first: number): ApplyRun[] => [{ tableId: 1, opCode: 1, columns: [], first, last: first }]
    plans.extend('p', one(0))
    plans.extend('p', one(2))
    assert.equal(plans.whole('p', 3), undefined)
    plans.extend('p', one(3))
    assert.equal(plans.whole('p', 4), undefined)
    plans.extend('q', one(0))
    plans.forget('q')
    assert.equal(plans.whole('q', 1), undefined)
  })

  it('older plans make room, so that memory has a bound', () => {
    const plans = new ApplyPlans()
    const long = (n: number) =>
      Array.from(
        { length: n },
        (_, i): ApplyRun => ({ tableId: 1 + (i % 2), opCode: 1, columns: [], first: i, last: i }),
      )
    plans.extend('old', long(15_000))
    plans.extend('new', long(15_000))
    assert.equal(plans.whole('old', 15_000), undefined)
    assert.equal(plans.whole('new', 15_000)?.length, 15_000)
    plans.extend('huge', long(30_000))
    assert.equal(plans.whole('huge', 30_000), undefined)
  })
})
