import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { filter as anyFilter } from '../../../test/acceptance/event-arbitrary.ts'
import type { Filter } from './filter.ts'
import { canonicalFilter, filterHash } from './filter-hash.ts'

it('hashes follow the vectors of the specification', () => {
  assert.equal(filterHash({}), '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
  assert.equal(
    filterHash({ kinds: [0, 3] }),
    '3ca9686197d191e3955b7844afe653a2fd18b3fe7186a6521ef622cfe4be5a8b',
  )
  const authored = { authors: ['aa'], kinds: [0, 3] }
  assert.equal(filterHash(authored), '73a782fc32a96c89197915f19549082496fcfdaf263593540e1dbbe203996656')
})

it('order and repetition of keys and values do not count, limit neither', () => {
  const filter: Filter = { kinds: [10_002, 3, 3], since: 5, '#t': ['b', 'a', 'b'], limit: 7 }
  const other: Filter = { '#t': ['a', 'b'], since: 5, kinds: [3, 10_002] }
  assert.equal(canonicalFilter(filter), '{"#t":["a","b"],"kinds":[3,10002],"since":5}')
  assert.equal(canonicalFilter(other), canonicalFilter(filter))
})

it('values sort by code point, not by UTF-16 unit', () => {
  assert.equal(canonicalFilter({ '#t': ['😀', '\uffff', 'a'] }), '{"#t":["a","\uffff","😀"]}')
})

it('the time range is part of the definition but not of the hash', () => {
  assert.notEqual(canonicalFilter({ since: 1 }), canonicalFilter({ since: 2 }))
  assert.equal(filterHash({ kinds: [1], since: 1, until: 9 }), filterHash({ kinds: [1] }))
  assert.notEqual(filterHash({ kinds: [1] }), filterHash({ kinds: [2] }))
})

it('the canonical form is a fixed point', () => {
  fc.assert(
    fc.property(anyFilter, (filter) => {
      const once = canonicalFilter(filter)
      assert.equal(canonicalFilter(JSON.parse(once)), once)
    }),
  )
})
