import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { matchFilter as referenceMatch } from 'nostr-tools/filter'
import { filter as anyFilter, craft, events as someEvents } from '../../../test/acceptance/event-arbitrary.ts'
import { realEvents } from '../../../test/helpers/real-events.ts'
import type { NostrEvent } from './event.ts'
import type { Filter } from './filter.ts'
import { isEmptyFilter, matcher, matchFilter } from './filter-match.ts'

type ReferenceFilter = Parameters<typeof referenceMatch>[0]
type ReferenceEvent = Parameters<typeof referenceMatch>[1]

/** nostr-tools takes `until: 0` for no bound at all; there it is asked about the next second it understands. */
const asked = (filter: Filter): ReferenceFilter =>
  (filter.until === 0 ? { ...filter, until: undefined } : filter) as ReferenceFilter

function agrees(filter: Filter, event: NostrEvent): void {
  const expected =
    referenceMatch(asked(filter), event as ReferenceEvent) && !(filter.until === 0 && event.created_at > 0)
  assert.equal(matchFilter(filter, event), expected)
  assert.equal(matcher(filter)(event), expected)
}

it('matching agrees with nostr-tools on generated events and filters', () => {
  fc.assert(
    fc.property(anyFilter, someEvents, (filter, events) => {
      for (const event of events) agrees(filter, event)
    }),
    { numRuns: 300 },
  )
})

it('matching agrees with nostr-tools on filters made from real events', () => {
  const events = realEvents.map((raw) => JSON.parse(raw) as NostrEvent)
  const pick = fc.constantFrom(...events)
  const filterOf = fc.tuple(pick, pick, fc.nat(63)).map(([a, b, parts]): Filter => {
    const tags = [...a.tags, ...b.tags].filter(([name, value]) => name?.length === 1 && value !== undefined)
    return {
      ...(parts & 1 ? { kinds: [a.kind, b.kind] } : {}),
      ...(parts & 2 ? { ids: [a.id, b.id] } : {}),
      ...(parts & 4 ? { authors: [a.pubkey] } : {}),
      ...(parts & 8 ? { since: Math.min(a.created_at, b.created_at) } : {}),
      ...(parts & 16 ? { until: Math.max(a.created_at, b.created_at) } : {}),
      ...(parts & 32 && tags[0] ? { [`#${tags[0][0]}`]: tags.map((tag) => tag[1]!) } : {}),
    }
  })
  let matches = 0
  fc.assert(
    fc.property(filterOf, (filter) => {
      for (const event of events) {
        agrees(filter, event)
        if (matchFilter(filter, event)) matches++
      }
    }),
    { numRuns: 60 },
  )
  assert.ok(matches > 100, 'the filters match next to nothing')
})

const event = craft({
  id: 'a'.repeat(64),
  kind: 1,
  created_at: 10,
  tags: [['t', 'x', 'y'], ['long', 'z'], ['e']],
})

const cases: readonly [string, Filter, boolean][] = [
  ['since and until are inclusive', { since: 10, until: 10 }, true],
  ['later than until is no match', { until: 9 }, false],
  ['until 0 is a bound', { until: 0 }, false],
  ['earlier than since is no match', { since: 11 }, false],
  ['only the first value of a tag counts', { '#t': ['y'] }, false],
  ['one of several values is enough', { '#t': ['q', 'x'] }, true],
  ['all conditions have to hold', { '#t': ['x'], kinds: [2] }, false],
  ['a tag without a value matches nothing', { '#e': [''] }, false],
  ['an empty list matches nothing', { ids: [] }, false],
  ['an empty tag list matches nothing', { '#t': [] }, false],
  ['limit has no part in it', { limit: 0 }, true],
  ['no condition matches everything', {}, true],
]
for (const [name, filter, expected] of cases)
  it(name, () => {
    assert.equal(matchFilter(filter, event), expected)
    assert.equal(matcher(filter)(event), expected)
  })

it('a filter is empty when a list is, or when its time ends before it starts', () => {
  for (const filter of [{ ids: [] }, { kinds: [], ids: ['a'] }, { '#x': [] }, { since: 2, until: 1 }])
    assert.equal(isEmptyFilter(filter), true)
  for (const filter of [{}, { kinds: [0] }, { since: 2, until: 2 }, { until: 0 }, { limit: 0 }])
    assert.equal(isEmptyFilter(filter), false)
})
