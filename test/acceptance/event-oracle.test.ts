import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { matchFilter } from 'nostr-tools/filter'
import * as arbitrary from './event-arbitrary.ts'
import { matches } from './event-oracle.ts'

describe('the oracle of the event store', () => {
  it('reads filters as nostr-tools does', () => {
    let hits = 0
    fc.assert(
      fc.property(arbitrary.events, arbitrary.filter, (events, filter) => {
        // nostr-tools takes an `until` of 0 for none.
        fc.pre(filter.until !== 0)
        for (const event of events) {
          const expected = matchFilter(
            filter as Parameters<typeof matchFilter>[0],
            event as Parameters<typeof matchFilter>[1],
          )
          assert.equal(matches(event, filter), expected)
          if (expected) hits += 1
        }
      }),
      { numRuns: 300 },
    )
    assert.ok(hits > 50, `only ${hits} events matched anything`)
  })
})
