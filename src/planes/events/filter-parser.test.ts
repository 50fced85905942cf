import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EventError } from './event-error.ts'
import { parseFilter, parseSyncFilter } from './filter-parser.ts'
import { defaultLimits, type Limits } from './limits.ts'

const hex = 'ab'.repeat(32)

function refuses(value: unknown, code: string, limits: Partial<Limits> = {}, parse = parseFilter): void {
  assert.throws(
    () => parse(value, { ...defaultLimits, ...limits }),
    (error) => error instanceof EventError && error.code === code,
    `${JSON.stringify(value)?.slice(0, 100)} should be refused with ${code}`,
  )
}

describe('parseFilter', () => {
  it('keeps every condition it knows, also those that match nothing', () => {
    const filter = {
      ids: [hex],
      authors: [],
      kinds: [0, 65_535],
      since: 0,
      until: Number.MAX_SAFE_INTEGER,
      limit: 0,
      '#e': [hex],
      '#T': ['', 'nostr', '🫂'],
      '#p': [],
    }
    assert.deepEqual(parseFilter(filter, defaultLimits), filter)
    assert.deepEqual(parseFilter({ since: 2, until: 1 }, defaultLimits), { since: 2, until: 1 })
    assert.deepEqual(parseFilter({}, defaultLimits), {})
  })

  it('E-147 refuses unknown conditions in the words of the specification', () => {
    for (const key of ['search', 'x', '#', '#ee', '#1', '#é', 'IDs', '__proto__', 'constructor', '&t'])
      assert.throws(() => parseFilter(JSON.parse(`{${JSON.stringify(key)}:["x"]}`), defaultLimits), {
        code: 'filter/unknown-key',
        reason: 'unsupported: filter contains unknown elements',
      })
  })

  it('refuses what is no object', () => {
    for (const value of [null, undefined, 1, 'x', [], [{}], true]) refuses(value, 'filter/not-an-object')
  })

  it('T-MAL-8 refuses values of the wrong form', () => {
    const badHex = [hex.toUpperCase(), hex.slice(1), `${hex}0`, 'npub1x', '', 1, null, [hex]]
    for (const key of ['ids', 'authors', '#e', '#p'])
      for (const value of badHex) refuses({ [key]: [value] }, 'filter/bad-value')
    for (const kind of [-1, 65_536, 1.5, '1', null, Number.NaN, -0])
      refuses({ kinds: [kind] }, 'filter/bad-value')
    for (const key of ['since', 'until', 'limit'])
      for (const value of [-1, 1.5, '1', null, 2 ** 53, Number.POSITIVE_INFINITY, [1], -0])
        refuses({ [key]: value }, 'filter/bad-value')
    for (const key of ['ids', 'authors', 'kinds', '#e', '#t'])
      for (const value of [null, 'x', {}, 1, { length: 1 }]) refuses({ [key]: value }, 'filter/bad-value')
    for (const value of [1, null, ['a'], '\ud800', 'x'.repeat(4_097), 'é'.repeat(2_049)])
      refuses({ '#t': [value] }, 'filter/bad-value')
  })

  it('T-MAL-10 refuses filter bombs at exactly their limit', () => {
    const limits = { maxFilterValues: 3, maxTagValues: 2, maxFilterPairs: 6 }
    const many = (count: number) => Array.from({ length: count }, (_, i) => i.toString(16).padStart(64, '0'))
    for (const key of ['ids', 'authors']) {
      assert.ok(parseFilter({ [key]: many(3) }, { ...defaultLimits, ...limits }))
      refuses({ [key]: many(4) }, 'filter/too-many-values', limits)
    }
    refuses({ kinds: [1, 2, 3, 4] }, 'filter/too-many-values', limits)
    for (const key of ['#e', '#t']) {
      assert.ok(parseFilter({ [key]: many(2) }, { ...defaultLimits, ...limits }))
      refuses({ [key]: many(3) }, 'filter/too-many-values', limits)
    }
    assert.ok(parseFilter({ authors: many(3), kinds: [1, 2] }, { ...defaultLimits, ...limits }))
    refuses({ authors: many(3), kinds: [1, 2, 3] }, 'filter/too-many-values', limits)
    refuses({ authors: many(100_000) }, 'filter/too-many-values')
    refuses(
      { authors: many(1_000), kinds: Array.from({ length: 1_000 }, (_, i) => i) },
      'filter/too-many-values',
    )
  })

  it('any JSON value is a filter or an EventError', () => {
    const key = fc.constantFrom(
      'ids',
      'authors',
      'kinds',
      'since',
      'until',
      'limit',
      '#e',
      '#t',
      'search',
      '',
    )
    const value = fc.oneof(
      fc.jsonValue(),
      fc.array(fc.oneof(fc.constant(hex), fc.nat(), fc.string())),
      fc.nat(),
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(key, value)), (input) => {
        try {
          assert.deepEqual(parseFilter(input, defaultLimits), { ...(input as object) })
        } catch (error) {
          assert.ok(error instanceof EventError, String(error))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('parseSyncFilter', () => {
  it('nothing given is everything', () => {
    assert.deepEqual(parseSyncFilter(undefined, defaultLimits), {})
    assert.deepEqual(parseSyncFilter({ kinds: [1] }, defaultLimits), { kinds: [1] })
  })

  it('refuses what can never be complete or would sync nothing', () => {
    for (const filter of [{ limit: 10 }, { limit: 0 }, { ids: [] }, { '#t': [] }, { since: 2, until: 1 }])
      refuses(filter, 'filter/bad-value', {}, parseSyncFilter)
    refuses({ search: 'x' }, 'filter/unknown-key', {}, parseSyncFilter)
    refuses([], 'filter/not-an-object', {}, parseSyncFilter)
  })
})
