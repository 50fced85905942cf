import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { events, filter } from '../../../../test/acceptance/event-arbitrary.ts'
import { matchFilter } from '../filter-match.ts'
import { covers, overlaps } from './filter-cover.ts'

const key = 'ab'.repeat(32)

describe('what a grant speaks for', () => {
  it('narrows each of its lists and keeps its times', () => {
    const rule = { kinds: [5000, 5001], '#r': ['a', 'b'], since: 10, until: 20 }
    assert.ok(covers(rule, { kinds: [5000], '#r': ['a'], since: 10, until: 20, limit: 5 }))
    assert.ok(covers(rule, { kinds: [5001], '#r': ['b', 'a'], authors: [key], since: 11, until: 12 }))
    assert.ok(covers({}, {}))
    for (const wider of [
      { '#r': ['a'], since: 10, until: 20 },
      { kinds: [5000], since: 10, until: 20 },
      { kinds: [5000, 1], '#r': ['a'], since: 10, until: 20 },
      { kinds: [5000], '#r': ['a', 'c'], since: 10, until: 20 },
      { kinds: [5000], '#r': ['a'], since: 9, until: 20 },
      { kinds: [5000], '#r': ['a'], until: 20 },
      { kinds: [5000], '#r': ['a'], since: 10, until: 21 },
      { kinds: [5000], '#r': ['a'], since: 10 },
    ])
      assert.ok(!covers(rule, wider), JSON.stringify(wider))
  })

  it('P-cover whatever a covered request selects, its rule selects too', () => {
    fc.assert(
      fc.property(filter, filter, events, (rule, request, list) => {
        if (!covers(rule, request)) return
        for (const event of list) if (matchFilter(request, event)) assert.ok(matchFilter(rule, event))
      }),
      { numRuns: 2_000 },
    )
  })

  it('P-cover a request narrowed from a rule is covered by it', () => {
    fc.assert(
      fc.property(filter, filter, (rule, more) => {
        assert.ok(covers(rule, { ...more, ...rule }))
      }),
    )
  })

  it('P-cover what does not overlap has no event in common, tags aside', () => {
    fc.assert(
      fc.property(filter, filter, events, (one, other, list) => {
        const tagged = [one, other].some((any) => Object.keys(any).some((name) => name.startsWith('#')))
        if (tagged || overlaps(one, other)) return
        for (const event of list) assert.ok(!(matchFilter(one, event) && matchFilter(other, event)))
      }),
      { numRuns: 2_000 },
    )
  })
})
