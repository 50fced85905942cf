import assert from 'node:assert/strict'
import type { PageOptions } from '../../../src/planes/events/bulk/page-options.ts'
import type { Filter } from '../../../src/planes/events/filter.ts'
import { notes } from '../../helpers/notes.ts'
import type { Row, Surface, Table } from './surface.ts'

const lives = 'src/planes/events/bulk/bulk.ts'
const context = { caller: 'local' } as const
const author = notes(1)[0]!.pubkey
/** The notes of these rows alone: other rows may have stored what they like. */
const filter: Filter = { authors: [author] }
const stored = notes(5)

const row = (name: string, check: Row['check']): Row => ({ name, lives, check })

async function filled({ sync }: Surface): Promise<void> {
  const imported = await sync.importEvents(stored, { context })
  assert.ok(imported.ok, JSON.stringify(imported))
}

async function page(surface: Surface, options: Partial<PageOptions>) {
  await filled(surface)
  const result = await surface.sync.pageEvents(filter, { context, ...options } as PageOptions)
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}

const refused = (code: string, options: object, asked: object = filter): Row =>
  row(`pageEvents → ${code}`, async ({ sync }) => {
    const result = await sync.pageEvents(asked as Filter, options as PageOptions)
    assert.equal(result.ok ? 'ok' : result.error, code)
  })

const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id)
const keyOf = ({ created_at, id }: { readonly created_at: number; readonly id: string }) =>
  [created_at, id] as const

const pageOptions: readonly Row[] = [
  row('limit', async (surface) => assert.equal((await page(surface, { limit: 2 })).events.length, 2)),
  row('page_size', async (surface) => assert.equal((await page(surface, { pageSize: 3 })).events.length, 3)),
  row('limit wins over page_size', async (surface) =>
    assert.equal((await page(surface, { limit: 2, pageSize: 3 })).events.length, 2),
  ),
  row('order asc, the default', async (surface) =>
    assert.deepEqual(ids((await page(surface, {})).events), ids(stored)),
  ),
  row('order desc', async (surface) =>
    assert.deepEqual(ids((await page(surface, { order: 'desc' })).events), ids(stored.toReversed())),
  ),
  row('order seq', async (surface) =>
    assert.deepEqual(ids((await page(surface, { order: 'seq' })).events), ids(stored)),
  ),
  row('after_key, exclusive', async (surface) =>
    assert.deepEqual(
      ids((await page(surface, { afterKey: keyOf(stored[1]!) })).events),
      ids(stored.slice(2)),
    ),
  ),
  row('until_key, inclusive', async (surface) =>
    assert.deepEqual(
      ids((await page(surface, { untilKey: keyOf(stored[1]!) })).events),
      ids(stored.slice(0, 2)),
    ),
  ),
  row('authorize_event', async (surface) =>
    assert.deepEqual((await page(surface, { authorizeEvent: () => false })).events, []),
  ),
  row('events, next_cursor, complete, raw_count', async (surface) => {
    const { nextCursor, complete, rawCount } = await page(surface, { limit: 2 })
    assert.deepEqual([nextCursor, complete, rawCount], [keyOf(stored[1]!), false, 2])
  }),
  refused('missing_context', {}),
  refused('invalid_page_size', { context, limit: 0 }),
  refused('invalid_page_size', { context, limit: 5_001 }),
  refused('invalid_order', { context, order: 'sideways' }),
  refused('invalid_cursor', { context, afterKey: 'x' }),
  refused('limit_not_allowed', { context }, { limit: 1 }),
  refused('search_not_allowed', { context }, { search: 'x' }),
]

const streams: readonly Row[] = [
  row('streamEvents', async (surface) => {
    await filled(surface)
    const stream = surface.sync.streamEvents(filter, { context, limit: 2 })
    assert.ok(stream.ok)
    assert.deepEqual(ids(await Array.fromAsync(stream.value)), ids(stored))
  }),
  row('streamEvents takes no order but asc', ({ sync }) => {
    const stream = sync.streamEvents(filter, { context, order: 'desc' })
    assert.equal(stream.ok ? 'ok' : stream.error, 'invalid_order')
  }),
]

async function copy(surface: Surface, target: unknown, options: object = {}, source: unknown = filter) {
  await filled(surface)
  const { copyEvents } = surface.sync
  return copyEvents(
    source as Parameters<typeof copyEvents>[0],
    target as Parameters<typeof copyEvents>[1],
    { context, ...options } as Parameters<typeof copyEvents>[2],
  )
}

const summaryOf = (outcome: Awaited<ReturnType<typeof copy>>) => {
  assert.ok(outcome.ok, JSON.stringify(outcome))
  return outcome.value
}

const copies: readonly Row[] = [
  row('copyEvents to local counts duplicates', async (surface) => {
    const { pages, events, accepted, duplicates, rejected, lastCursor } = summaryOf(
      await copy(surface, 'local'),
    )
    assert.deepEqual([pages, events, accepted, duplicates, rejected], [1, 5, 0, 5, 0])
    assert.deepEqual(lastCursor, keyOf(stored[4]!))
  }),
  row('copyEvents to a function', async (surface) =>
    assert.equal(summaryOf(await copy(surface, () => true)).accepted, 5),
  ),
  row('copyEvents to {fun}', async (surface) =>
    assert.equal(summaryOf(await copy(surface, { fun: () => true })).accepted, 5),
  ),
  row('copyEvents from {local}', async (surface) =>
    assert.equal(summaryOf(await copy(surface, 'local', {}, { local: filter })).events, 5),
  ),
  row('copyEvents from "local" with the option filter', async (surface) =>
    assert.equal(summaryOf(await copy(surface, 'local', { filter }, 'local')).events, 5),
  ),
  row('progress: page, imported, completed', async (surface) => {
    const kinds: string[] = []
    await copy(surface, 'local', { progress: (kind: string) => void kinds.push(kind) })
    assert.deepEqual(kinds, ['page', 'imported', 'completed'])
  }),
  row('copyEvents → invalid_source', async (surface) => {
    const outcome = await copy(surface, 'local', {}, 7)
    assert.equal(outcome.ok ? 'ok' : outcome.error, 'invalid_source')
  }),
  row('copyEvents → invalid_target', async (surface) => {
    const outcome = await copy(surface, 7)
    assert.equal(outcome.ok ? 'ok' : outcome.error, 'invalid_target')
  }),
]

const imports: readonly Row[] = [
  row('importEvents answers counts and results in order', async (surface) => {
    await filled(surface)
    const imported = await surface.sync.importEvents(stored, { context })
    assert.ok(imported.ok)
    const { accepted, duplicates, rejected, results } = imported.value
    assert.deepEqual([accepted, duplicates, rejected], [0, 5, 0])
    assert.deepEqual(
      results.map(({ id }) => id),
      ids(stored),
    )
  }),
]

export const bulkTables: readonly Table[] = [
  { section: '3.2', rows: pageOptions },
  { section: '3.4', rows: streams },
  { section: '3.5', rows: copies },
  { section: '3.6', rows: imports },
]
