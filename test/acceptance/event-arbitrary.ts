import { hash } from 'node:crypto'
import fc from 'fast-check'
import type { NostrEvent, ParsedEvent } from '../../src/planes/events/event.ts'
import type { Filter } from '../../src/planes/events/filter.ts'

/** Random events from a small world, so that they replace, delete and answer each other all the time. */

export const ourUrl = 'wss://relay.example/'

/** 64 hex that nobody can order by looking at the number. */
export const hexId = (name: string | number): string => hash('sha256', `event ${name}`)

export const authors: readonly string[] = ['alice', 'bob', 'carol'].map((name) => hash('sha256', name))

export const asParsed = (event: NostrEvent): ParsedEvent => ({ event, raw: JSON.stringify(event) })

/** An event with the given fields; stores check neither id nor signature. */
export function craft(fields: Partial<NostrEvent> & { readonly id: string }): NostrEvent {
  const { id, pubkey = authors[0]!, created_at = 1_000, kind = 1, tags = [], content = '' } = fields
  return { id, pubkey, created_at, kind, tags, content, sig: '0'.repeat(128) }
}

const kinds = [0, 1, 1, 3, 4, 5, 5, 5, 7, 62, 1059, 10_002, 20_001, 30_000, 30_023, 45_000]
const maxTime = 12
const dValues = ['', 'a', 'b:c', 'x'.repeat(40)]
const topics = ['nostr', '🫶', 'y'.repeat(100)]

const author = fc.constantFrom(...authors)
const pick = <T>(values: readonly T[], maxLength: number) =>
  fc.array(fc.constantFrom(...values), { maxLength })

const address = fc
  .tuple(fc.constantFrom(0, 3, 10_002, 30_000, 30_023, 1), author, fc.constantFrom(...dValues))
  .map(([kind, pubkey, d]) => `${kind}:${pubkey}:${kind < 30_000 ? '' : d}`)

type Draft = typeof draft extends fc.Arbitrary<infer T> ? T : never

const draft = fc.record({
  pubkey: author,
  kind: fc.constantFrom(...kinds),
  created_at: fc.nat(maxTime),
  e: fc.array(fc.nat(23), { maxLength: 3 }),
  p: pick(authors, 2),
  t: pick(topics, 2),
  a: fc.array(address, { maxLength: 2 }),
  d: fc.option(fc.constantFrom(...dValues), { nil: undefined }),
  expiration: fc.option(fc.integer({ min: 90, max: 130 }), { nil: undefined, freq: 4 }),
  relay: fc.constantFrom(ourUrl, 'wss://elsewhere.example', 'ALL_RELAYS'),
})

/** Up to 24 events with distinct ids; `e` tags point at any of them, earlier or later. */
export const events: fc.Arbitrary<NostrEvent[]> = fc
  .array(draft, { minLength: 1, maxLength: 24 })
  .map((drafts) => drafts.map(toEvent))

function toEvent(draft: Draft, at: number): NostrEvent {
  const { pubkey, kind, created_at, e, p, t, a, d, expiration, relay } = draft
  const tags: string[][] = [
    ...e.map((index) => ['e', hexId(index), 'wss://hint.example']),
    ...p.map((key) => ['p', key]),
    ...t.map((topic) => ['t', topic]),
    ...a.map((target) => ['a', target]),
    ['e'],
    ['long name', 'ignored'],
  ]
  if (d !== undefined) tags.push(['d', d])
  if (expiration !== undefined) tags.push(['expiration', String(expiration)])
  if (kind === 62) tags.push(['relay', relay])
  return craft({ id: hexId(at), pubkey, created_at, kind, tags })
}

const optional = <T>(arbitrary: fc.Arbitrary<T>, freq = 2) => fc.option(arbitrary, { nil: undefined, freq })

const ids = fc.array(fc.nat(25).map(hexId), { maxLength: 6 })

/** Any shape of filter, about one in ten with an empty list. */
export const filter: fc.Arbitrary<Filter> = fc
  .record({
    ids: optional(ids, 1),
    authors: optional(pick(authors, 3)),
    kinds: optional(pick(kinds, 6)),
    since: optional(fc.nat(maxTime)),
    until: optional(fc.nat(maxTime)),
    limit: optional(fc.nat(6)),
    '#e': optional(ids, 1),
    '#p': optional(pick(authors, 2), 1),
    '#d': optional(pick(dValues, 2), 1),
    '#t': optional(pick(topics, 3), 1),
  })
  .map((record) => {
    const entries = Object.entries(record).filter(([, value]) => value !== undefined)
    return Object.fromEntries(entries) as Filter
  })

/** The order in which events arrive: a permutation, some of them twice. */
export function arrivals<T>(list: readonly T[]): fc.Arbitrary<T[]> {
  const twice = list.concat(list)
  return fc.shuffledSubarray(twice, { minLength: twice.length, maxLength: twice.length })
}
