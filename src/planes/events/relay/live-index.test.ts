import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { matches } from '../../../../test/acceptance/event-oracle.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import { LiveIndex } from './live-index.ts'

const letter = fc.constantFrom('a', 'b', 'c')
const event: fc.Arbitrary<NostrEvent> = fc.record({
  id: letter,
  pubkey: letter,
  created_at: fc.nat(5),
  kind: fc.nat(3),
  tags: fc.array(fc.tuple(fc.constantFrom('e', 'p', 'long'), letter), { maxLength: 3 }),
  content: fc.constant(''),
  sig: fc.constant(''),
})
const list = fc.array(letter, { maxLength: 3 })
const filter: fc.Arbitrary<Filter> = fc.record(
  {
    ids: list,
    authors: list,
    kinds: fc.array(fc.nat(3), { maxLength: 2 }),
    '#e': list,
    '#p': list,
    since: fc.nat(5),
  },
  { requiredKeys: [] },
)

describe('live index', () => {
  it('finds every subscription that matches, and none that was removed', () => {
    const subscriptions = fc.array(fc.tuple(fc.array(filter, { minLength: 1, maxLength: 3 }), fc.boolean()))
    fc.assert(
      fc.property(subscriptions, fc.array(event, { maxLength: 5 }), (list, events) => {
        const index = new LiveIndex<{ readonly filters: readonly Filter[] }>()
        const entries = list.map(([filters, removed]) => ({ filters, removed }))
        for (const entry of entries) index.add(entry)
        for (const entry of entries) if (entry.removed) index.remove(entry)
        for (const one of events) {
          const found = index.candidates(one)
          for (const entry of entries) {
            const wanted = entry.filters.some((filter) => matches(one, filter))
            if (entry.removed) assert.equal(found.has(entry), false)
            else if (wanted) assert.equal(found.has(entry), true)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('asks nobody who reads other authors or kinds', () => {
    const index = new LiveIndex<{ readonly filters: readonly Filter[] }>()
    index.add({ filters: [{ authors: ['a'], kinds: [1] }] })
    index.add({ filters: [{ kinds: [2] }] })
    const other: NostrEvent = { id: 'i', pubkey: 'b', created_at: 0, kind: 1, tags: [], content: '', sig: '' }
    assert.equal(index.candidates(other).size, 0)
  })
})
