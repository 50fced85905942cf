import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { authors, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import {
  allPages,
  type BulkWorld,
  bulkWorld,
  local,
  restrictedKinds,
} from '../../../../test/helpers/bulk-world.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import { matchFilter } from '../filter-match.ts'
import type { Verifier } from '../verifier.ts'
import { createWorkerVerifier } from '../verifier.workers.ts'
import type { BulkErrorCode, BulkResult } from './bulk-result.ts'
import type { BulkOrder, Cursor } from './cursor.ts'
import type { PageOptions } from './page-options.ts'
import type { BulkPage } from './page-reader.ts'

const [alice = '', bob = '', carol = ''] = authors
const kinds = [1, 7, 4, 1059]
const orders = fc.constantFrom<BulkOrder>('asc', 'desc', 'seq')
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const some = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 1 })

/** Events that neither replace nor delete each other; their numbers are the order of arrival. */
const world = fc
  .array(
    fc.record({
      created_at: fc.nat(4),
      kind: fc.constantFrom(...kinds),
      pubkey: fc.constantFrom(...authors),
      p: fc.subarray([...authors], { maxLength: 1 }),
    }),
    { maxLength: 20 },
  )
  .map((list) =>
    list.map(({ p, ...fields }, at) => craft({ id: hexId(at), ...fields, tags: p.map((key) => ['p', key]) })),
  )

const filters: fc.Arbitrary<Filter> = fc
  .record({
    kinds: maybe(some(kinds)),
    authors: maybe(some(authors)),
    since: maybe(fc.nat(4)),
    until: maybe(fc.nat(4)),
    '#p': maybe(some(authors)),
  })
  .map(
    (parts) => Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Filter,
  )

function inOrder(events: readonly NostrEvent[], order: BulkOrder): NostrEvent[] {
  if (order === 'seq') return [...events]
  const up = events.toSorted((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))
  return order === 'asc' ? up : up.reverse()
}

function maySee({ kind, pubkey, tags }: NostrEvent, readers: readonly string[]): boolean {
  if (!restrictedKinds.includes(kind)) return true
  return [pubkey, ...tags.map(([, key]) => key ?? '')].some((key) => readers.includes(key))
}

const idsOf = (pages: readonly BulkPage[]) => pages.flatMap(({ events }) => events.map(({ id }) => id))
const keyOf = ({ created_at, id }: NostrEvent): Cursor => [created_at, id]

function succeeded<T>(result: BulkResult<T>): T {
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}

describe('pages of events', () => {
  let verifier: Verifier
  before(() => {
    verifier = createWorkerVerifier({ workers: 1 })
  })
  after(() => verifier[Symbol.asyncDispose]())

  async function stocked(events: readonly NostrEvent[]): Promise<BulkWorld> {
    const opened = await bulkWorld(verifier)
    await opened.put(events)
    return opened
  }

  it('E-75 E-77 E-78 E-79 pages between any two cursors are what the reader may see, in order, and know their end', async () => {
    const sizes = fc.integer({ min: 1, max: 4 })
    const places = fc.tuple(maybe(fc.nat(19)), maybe(fc.nat(19)))
    const views = fc.record({ readers: fc.subarray([...authors]), hidden: fc.uniqueArray(fc.nat(19)) })
    await fc.assert(
      fc.asyncProperty(
        world,
        filters,
        orders,
        sizes,
        places,
        views,
        async (list, filter, order, limit, at, view) => {
          await using opened = await stocked(list)
          const { bulk, events } = opened
          const hidden = new Set(view.hidden.map(hexId))
          const sorted = inOrder(list, order)
          const numbers = new Map(
            (await events.get(list.map(({ id }) => id))).map(({ id, seq }) => [id, seq]),
          )
          const cursorOf = (event: NostrEvent) => (order === 'seq' ? numbers.get(event.id)! : keyOf(event))
          const [from, to] = at.map((place) => (place === undefined ? undefined : sorted[place]))
          const start = from === undefined ? 0 : sorted.indexOf(from) + 1
          const end = to === undefined ? sorted.length : sorted.indexOf(to) + 1
          const rows = sorted.slice(start, end).filter((event) => matchFilter(filter, event))
          const shown = (event: NostrEvent) => maySee(event, view.readers) && !hidden.has(event.id)

          const options: PageOptions = {
            context: { caller: 'websocket', authenticatedPubkeys: view.readers },
            limit,
            order,
            afterKey: from && cursorOf(from),
            untilKey: to && cursorOf(to),
            authorizeEvent: ({ id }) => !hidden.has(id),
          }
          const asksRestricted = filter.kinds?.every((kind) => restrictedKinds.includes(kind)) === true
          if (asksRestricted && view.readers.length === 0) {
            assert.equal(errorOf(await bulk.pageEvents(filter, options)), 'auth_required')
            return
          }
          const expected = []
          for (let next = 0; next === 0 || next < rows.length; next += limit) {
            const page = rows.slice(next, next + limit)
            const visible = page.filter(shown)
            expected.push({
              events: visible,
              raws: visible.map((event) => JSON.stringify(event)),
              nextCursor: page.length === 0 ? null : cursorOf(page.at(-1)!),
              complete: next + limit >= rows.length,
              rawCount: page.length,
            })
          }
          assert.deepEqual(await allPages(bulk, filter, options), expected)
        },
      ),
      { numRuns: 120 },
    )
  })

  it('E-79 descending is the exact reverse of ascending', async () => {
    await fc.assert(
      fc.asyncProperty(world, filters, fc.integer({ min: 1, max: 4 }), async (list, filter, limit) => {
        await using opened = await stocked(list)
        const context = { ...local, authenticatedPubkeys: authors }
        const up = idsOf(await allPages(opened.bulk, filter, { context, limit }))
        const down = idsOf(await allPages(opened.bulk, filter, { context, limit, order: 'desc' }))
        assert.deepEqual(down, up.reverse())
      }),
      { numRuns: 40 },
    )
  })

  it('E-76 pages of one over a thousand events of the same second', async () => {
    const list = Array.from({ length: 1_000 }, (_, at) => craft({ id: hexId(at) }))
    await using opened = await stocked(list)
    const ids = list.map(({ id }) => id).sort()
    const up = await allPages(opened.bulk, {}, { context: local, limit: 1 })
    assert.deepEqual(idsOf(up), ids)
    assert.equal(up.length, 1_000)
    assert.deepEqual(
      idsOf(await allPages(opened.bulk, {}, { context: local, limit: 1, order: 'desc' })),
      ids.reverse(),
    )
  })

  it('the walk of spec events §3.7 gives the pages written there', async () => {
    const [a, b, c] = ['aa', 'bb', 'cc'].map((digits, at) =>
      craft({ id: digits.repeat(32), kind: 5_000, created_at: at < 2 ? 10 : 11 }),
    ) as [NostrEvent, NostrEvent, NostrEvent]
    await using opened = await stocked([c, a, b])
    const page = async (options: Partial<PageOptions>) => {
      const { raws: _, ...rest } = succeeded(
        await opened.bulk.pageEvents({ kinds: [5_000] }, { context: local, limit: 2, ...options }),
      )
      return rest
    }
    const first = { events: [a, b], nextCursor: keyOf(b), complete: false, rawCount: 2 }
    assert.deepEqual(await page({}), first)
    const second = { events: [c], nextCursor: keyOf(c), complete: true, rawCount: 1 }
    assert.deepEqual(await page({ afterKey: keyOf(b) }), second)
    const withoutB = await page({ authorizeEvent: async ({ id }) => id !== b.id })
    assert.deepEqual(withoutB, { ...first, events: [a] })
    const down = { events: [c, b], nextCursor: keyOf(b), complete: false, rawCount: 2 }
    assert.deepEqual(await page({ order: 'desc' }), down)
    const last = { events: [a], nextCursor: keyOf(a), complete: true, rawCount: 1 }
    assert.deepEqual(await page({ order: 'desc', afterKey: keyOf(b) }), last)
    assert.deepEqual(await page({ untilKey: keyOf(b) }), { ...first, complete: true })
  })

  it('an empty store has one page, complete and without a cursor', async () => {
    await using opened = await stocked([])
    const page = succeeded(await opened.bulk.pageEvents({}, { context: local }))
    assert.deepEqual(page, { events: [], raws: [], nextCursor: null, complete: true, rawCount: 0 })
  })

  it('E-77 a page of which everything is hidden still leads on', async () => {
    const wraps = [1, 2].map((at) => craft({ id: hexId(at), kind: 1059, created_at: at }))
    const note = craft({ id: hexId(3), created_at: 3 })
    await using opened = await stocked([...wraps, note])
    const pages = await allPages(opened.bulk, {}, { context: local, limit: 2 })
    assert.deepEqual(
      pages.map(({ events, rawCount, nextCursor, complete }) => [
        events.length,
        rawCount,
        nextCursor,
        complete,
      ]),
      [
        [0, 2, keyOf(wraps[1]!), false],
        [1, 1, keyOf(note), true],
      ],
    )
  })

  it('a walk by arrival sees what was written long ago and arrives behind its cursor', async () => {
    await using opened = await stocked([craft({ id: hexId(1), created_at: 500 })])
    const options = { context: local, order: 'seq' } as const
    const first = succeeded(await opened.bulk.pageEvents({}, options))
    assert.equal(first.complete, true)
    await opened.put([craft({ id: hexId(2), created_at: 3 })])
    const next = succeeded(await opened.bulk.pageEvents({}, { ...options, afterKey: first.nextCursor }))
    assert.deepEqual(idsOf([next]), [hexId(2)])
  })

  it('K7 a page of very large events ends early, and the next goes on exactly there', async () => {
    const list = Array.from({ length: 5 }, (_, at) =>
      craft({ id: hexId(at), created_at: at, content: 'x'.repeat(9 * 1_048_576) }),
    )
    await using opened = await stocked(list)
    const pages = await allPages(opened.bulk, {}, { context: local })
    assert.deepEqual(
      pages.map(({ events, complete }) => [events.map(({ id }) => id), complete]),
      [
        [list.slice(0, 4).map(({ id }) => id), false],
        [[list[4]!.id], true],
      ],
    )
  })

  it('E-80 what makes no sense is refused by name before anything is read', async () => {
    await using opened = await stocked([craft({ id: hexId(1) })])
    const { bulk } = opened
    const context = local
    const id = hexId(1)
    const badOptions: readonly [unknown, BulkErrorCode][] = [
      [undefined, 'missing_context'],
      [{}, 'missing_context'],
      [{ context: { caller: 'nobody' } }, 'missing_context'],
      [{ context: { caller: 'local', authenticatedPubkeys: alice } }, 'missing_context'],
      ...[0, -1, 1.5, 5_001, Number.NaN, '5', null].map((limit): [unknown, BulkErrorCode] => [
        { context, limit },
        'invalid_page_size',
      ]),
      [{ context, pageSize: 0 }, 'invalid_page_size'],
      [{ context, limit: 0, pageSize: 5 }, 'invalid_page_size'],
      [{ context, order: 'reverse' }, 'invalid_order'],
      ...[7, [], [1], [-1, id], [1.5, id], ['1', id], [1, id.toUpperCase()], [1, id, 2], `1:${id}`].flatMap(
        (cursor): [unknown, BulkErrorCode][] => [
          [{ context, afterKey: cursor }, 'invalid_cursor'],
          [{ context, order: 'desc', untilKey: cursor }, 'invalid_cursor'],
        ],
      ),
      [{ context, order: 'seq', afterKey: [1, id] }, 'invalid_cursor'],
      [{ context, order: 'seq', untilKey: -1 }, 'invalid_cursor'],
    ]
    for (const [options, error] of badOptions) {
      const answer = await bulk.pageEvents({}, options as PageOptions)
      assert.equal(errorOf(answer), error, JSON.stringify(options))
    }
    const badFilters: readonly [unknown, BulkErrorCode][] = [
      [[{}], 'invalid_filter'],
      [null, 'invalid_filter'],
      [{ limit: 5 }, 'limit_not_allowed'],
      [{ search: 'x' }, 'search_not_allowed'],
      [{ kind: 1 }, 'invalid_filter_key'],
      [{ '#tt': ['x'] }, 'invalid_filter_key'],
      [{ ids: [] }, 'invalid_ids'],
      [{ authors: ['x'] }, 'invalid_authors'],
      [{ kinds: [70_000] }, 'invalid_kinds'],
      [{ since: -1 }, 'invalid_since'],
      [{ until: '5' }, 'invalid_until'],
      [{ '#t': [] }, 'invalid_tag_filter'],
      [{ '#p': ['x'] }, 'invalid_tag_filter'],
      [{ '#t': Array.from({ length: 129 }, String) }, 'too_many_tag_values'],
    ]
    for (const [filter, error] of badFilters) {
      const answer = await bulk.pageEvents(filter as Filter, { context })
      assert.equal(errorOf(answer), error, JSON.stringify(filter))
    }
    assert.equal(opened.reads(), 0)
    assert.equal(succeeded(await bulk.pageEvents({}, { context, limit: 5, pageSize: 0 })).rawCount, 1)
  })

  it('E-81 whoever asks for nothing but restricted kinds without a key is told to authenticate', async () => {
    const toBob = craft({ id: hexId(1), kind: 1059, tags: [['p', bob]] })
    await using opened = await stocked([toBob, craft({ id: hexId(2), kind: 1059, tags: [['p', carol]] })])
    const filter = { kinds: [1059] }
    assert.equal(errorOf(await opened.bulk.pageEvents(filter, { context: local })), 'auth_required')
    assert.equal(opened.reads(), 0)
    const context = { ...local, authenticatedPubkeys: [bob] }
    const page = succeeded(await opened.bulk.pageEvents(filter, { context }))
    assert.deepEqual([page.events, page.rawCount], [[toBob], 2])
  })

  it('E-82 the callback is asked once for each event the policy shows, in order, and cannot show others', async () => {
    const list = [1, 1059, 7, 1, 1].map((kind, at) => craft({ id: hexId(at), kind, created_at: at }))
    await using opened = await stocked(list)
    const asked: string[] = []
    const context = { ...local, metadata: { tenant: 'x' } }
    const page = succeeded(
      await opened.bulk.pageEvents(
        {},
        {
          context,
          limit: 4,
          authorizeEvent(event, given) {
            assert.equal(given, context)
            asked.push(event.id)
            return true
          },
        },
      ),
    )
    assert.deepEqual(asked, [0, 2, 3].map(hexId))
    assert.deepEqual(idsOf([page]), asked)
  })

  it('E-82 a callback that throws fails the whole page', async () => {
    const list = [1, 2, 3].map((at) => craft({ id: hexId(at), created_at: at }))
    await using opened = await stocked(list)
    const broken = new Error('no answer')
    for (const fail of [
      () => Promise.reject(broken),
      () => {
        throw broken
      },
    ]) {
      const authorizeEvent = ({ created_at }: NostrEvent) => (created_at === 3 ? fail() : true)
      const answer = await opened.bulk.pageEvents({}, { context: local, authorizeEvent })
      assert.deepEqual(answer, { ok: false, error: 'authorize_event_failed', detail: broken })
    }
  })

  it('a store that cannot be read is a failed page, not an exception', async () => {
    const opened = await stocked([craft({ id: hexId(1) })])
    await opened[Symbol.asyncDispose]()
    assert.equal(errorOf(await opened.bulk.pageEvents({}, { context: local })), 'sync_page_error')
  })

  it('an aborted page is aborted', async () => {
    await using opened = await stocked([craft({ id: hexId(1) })])
    const answer = await opened.bulk.pageEvents({}, { context: local, signal: AbortSignal.abort() })
    assert.equal(errorOf(answer), 'aborted')
    assert.equal(opened.reads(), 0)
  })
})

function errorOf(result: BulkResult<unknown>): BulkErrorCode | undefined {
  return result.ok ? undefined : result.error
}
