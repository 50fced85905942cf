import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { BoundedSet } from './bounded-set.ts'

it('K7 holds the values added last and never more than its bound', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(12)), fc.integer({ min: 1, max: 6 }), (values, max) => {
      const set = new BoundedSet<number>(max)
      const model: number[] = []
      for (const value of values) {
        set.add(value)
        if (!model.includes(value)) model.push(value)
        if (model.length > max) model.shift()
        assert.equal(set.size, model.length)
        for (let other = 0; other <= 12; other++) assert.equal(set.has(other), model.includes(other))
      }
    }),
  )
})

it('forgets the oldest first, and what it is told to', () => {
  const set = new BoundedSet<string>(2)
  for (const value of ['a', 'b', 'c']) set.add(value)
  assert.deepEqual(
    ['a', 'b', 'c'].map((value) => set.has(value)),
    [false, true, true],
  )
  set.delete('b')
  set.add('d')
  assert.deepEqual(
    ['b', 'c', 'd'].map((value) => set.has(value)),
    [false, true, true],
  )
})
