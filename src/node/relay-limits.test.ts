import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterBytes, liveBudget } from './relay-limits.ts'

test('a relay is asked to keep a few less open than it says it can, within bounds, and a usual number when it says nothing', () => {
  assert.equal(liveBudget(undefined), 16)
  assert.equal(liveBudget({ at: 1 }), 16)
  const told = [1, 4, 8, 20, 100, 204, 1_000_000]
  assert.deepEqual(
    told.map((maxSubscriptions) => liveBudget({ at: 1, maxSubscriptions })),
    [4, 4, 4, 16, 96, 200, 200],
  )
})

test('P-38 a filter stays a tenth below the longest message a relay takes', () => {
  assert.equal(filterBytes({ at: 1 }), undefined)
  assert.equal(filterBytes({ at: 1, maxMessageLength: 4_096 }), 3_586)
  assert.equal(filterBytes({ at: 1, maxMessageLength: 10 }), 1_000)
})
