import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { type BulkWorld, bulkNow, bulkWorld, local } from '../../../../test/helpers/bulk-world.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import type { NostrEvent } from '../event.ts'
import type { Verifier } from '../verifier.ts'
import { createWorkerVerifier } from '../verifier.workers.ts'
import type { CopyOptions, CopySource, CopyTarget } from './bulk.ts'
import type { CopyFunction, CopyOutcome, CopyProgress, CopyResult } from './event-copy.ts'

const list = Array.from({ length: 7 }, (_, at) => craft({ id: hexId(at), created_at: at }))
const options: CopyOptions = { context: local, limit: 2 }
const keyAt = (at: number) => [at, list[at]!.id]

function finished(outcome: CopyOutcome): CopyResult {
  assert.ok(outcome.ok, JSON.stringify(outcome))
  return outcome.value
}

function stopped(outcome: CopyOutcome): Extract<CopyOutcome, { ok: false }> {
  assert.ok(!outcome.ok)
  return outcome
}

describe('copy of events', () => {
  let verifier: Verifier
  before(() => {
    verifier = createWorkerVerifier({ workers: 1 })
  })
  after(() => verifier[Symbol.asyncDispose]())

  async function stocked(events: readonly NostrEvent[] = list): Promise<BulkWorld> {
    const opened = await bulkWorld(verifier)
    await opened.put(events)
    return opened
  }

  it('E-85 a copy of a store into itself finds nothing but duplicates', async () => {
    await using opened = await stocked()
    const counts = { accepted: 0, duplicates: 7, rejected: 0 }
    const expected = { pages: 4, events: 7, ...counts, lastCursor: keyAt(6) }
    const sources: CopySource[] = [{}, { local: {} }, 'local']
    for (const source of sources) {
      const outcome = await opened.bulk.copyEvents(source, 'local', { ...options, filter: {} })
      assert.deepEqual(finished(outcome), expected)
    }
  })

  it('a copy into another store keeps every text byte for byte', async () => {
    await using here = await bulkWorld(verifier)
    await using there = await bulkWorld(verifier)
    const author = newAuthor(() => bulkNow)
    const spaced = Array.from({ length: 5 }, (_, at) => {
      return JSON.stringify(author.write({ created_at: bulkNow - at }), null, 1).replaceAll('\n', ' ')
    })
    const imported = await here.bulk.importEvents(spaced, { context: local })
    assert.ok(imported.ok)
    const target: CopyFunction = (_, { raws }) => there.bulk.importEvents(raws, { context: local })
    const { accepted, rejected } = finished(await here.bulk.copyEvents({}, target, options))
    assert.deepEqual([accepted, rejected], [5, 0])
    assert.deepEqual(await there.stored(), spaced.toReversed())
  })

  it('E-86 a function takes each page that has events, in order, one at a time', async () => {
    await using opened = await stocked()
    const taken: string[][] = []
    let busy = false
    const target: CopyFunction = async (events) => {
      assert.equal(busy, false)
      busy = true
      await nextTurn()
      busy = false
      taken.push(events.map(({ id }) => id))
    }
    const hidden = new Set([2, 3, 4].map(hexId))
    const authorizeEvent = ({ id }: NostrEvent) => !hidden.has(id)
    const outcome = await opened.bulk.copyEvents({}, { fun: target }, { ...options, authorizeEvent })
    assert.deepEqual(taken, [[0, 1].map(hexId), [hexId(5)], [hexId(6)]])
    const counts = { accepted: 4, duplicates: 0, rejected: 0 }
    assert.deepEqual(finished(outcome), { pages: 4, events: 4, ...counts, lastCursor: keyAt(6) })
  })

  it('E-86 whatever page a target fails on, the partial result resumes without loss or repeat', async () => {
    await using opened = await stocked()
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 5 }),
        fc.constantFrom('asc', 'desc', 'seq'),
        async (limit, failing, order) => {
          const taken: NostrEvent[] = []
          let calls = 0
          const target: CopyFunction = (events) => {
            calls++
            if (failing.includes(calls)) throw new Error(`call ${calls}`)
            taken.push(...events)
          }
          const copy = (afterKey: CopyOptions['afterKey']) =>
            opened.bulk.copyEvents({}, target, { context: local, limit, order, afterKey })
          let events = 0
          let outcome = await copy(undefined)
          while (!outcome.ok) {
            assert.equal(outcome.error, 'target_failed')
            assert.match(String(outcome.detail), /call \d/)
            events += outcome.partial.events
            outcome = await copy(outcome.partial.lastCursor)
          }
          assert.deepEqual(taken, order === 'desc' ? list.toReversed() : list)
          assert.equal(events + outcome.value.events, list.length)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('adds up what the target counts, and stops at an answer that is no count', async () => {
    await using opened = await stocked(list.slice(0, 2))
    const counts = { accepted: 1, duplicates: 1, rejected: 0 }
    const all = { accepted: 2, duplicates: 0, rejected: 0 }
    const answers: readonly [unknown, object | undefined][] = [
      [undefined, all],
      [true, all],
      ['ok', all],
      [counts, counts],
      [{ ok: true, value: { ...counts, results: [] } }, counts],
      [{ ok: false, error: 'import_failed' }, undefined],
      [{ error: 'full' }, undefined],
      [{ ...counts, error: 'full' }, undefined],
      [{ ...counts, rejected: -1 }, undefined],
      [false, undefined],
      [null, undefined],
      [2, undefined],
    ]
    for (const [answer, expected] of answers) {
      const outcome = await opened.bulk.copyEvents({}, () => answer, options)
      if (expected === undefined) {
        const { error, detail, partial } = stopped(outcome)
        assert.deepEqual([error, detail, partial.pages], ['target_failed', answer, 0])
      } else assert.deepEqual(finished(outcome), { pages: 1, events: 2, ...expected, lastCursor: keyAt(1) })
    }
  })

  it('E-87 progress tells of each page before and after the target, and of the end once', async () => {
    await using opened = await stocked(list.slice(0, 3))
    const steps: CopyProgress[] = []
    const progress = (...step: CopyProgress) => void steps.push(step)
    const authorizeEvent = ({ id }: NostrEvent) => id !== hexId(2)
    const outcome = await opened.bulk.copyEvents({}, () => 'ok', { ...options, authorizeEvent, progress })
    const counts = { accepted: 2, duplicates: 0, rejected: 0 }
    const totals = { pages: 1, events: 2, ...counts, lastCursor: keyAt(1) }
    const end = { ...totals, pages: 2, lastCursor: keyAt(2) }
    assert.deepEqual(steps, [
      ['page', { events: 2, rawCount: 2, nextCursor: keyAt(1), complete: false, pageNumber: 1 }],
      ['imported', { ...counts, totals }],
      ['page', { events: 0, rawCount: 1, nextCursor: keyAt(2), complete: true, pageNumber: 2 }],
      ['completed', end],
    ])
    assert.deepEqual(finished(outcome), end)
  })

  it('E-87 a copy that fails never says it completed', async () => {
    await using opened = await stocked()
    const kinds: string[] = []
    const progress = (...[kind]: CopyProgress) => void kinds.push(kind)
    const outcome = await opened.bulk.copyEvents({}, () => false, { ...options, progress })
    assert.equal(stopped(outcome).error, 'target_failed')
    assert.deepEqual(kinds, ['page'])
  })

  it('progress that throws stops the copy, which knows what the target had taken by then', async () => {
    await using opened = await stocked(list.slice(0, 3))
    for (const [kind, events] of [
      ['page', 0],
      ['imported', 2],
      ['completed', 3],
    ] as const) {
      const broken = new Error(kind)
      const progress = async (...[step]: CopyProgress) => {
        if (step === kind) throw broken
      }
      const { error, detail, partial } = stopped(
        await opened.bulk.copyEvents({}, () => true, { ...options, progress }),
      )
      assert.deepEqual([error, detail, partial.events], ['progress_failed', broken, events])
      assert.deepEqual(partial.lastCursor, events === 0 ? null : keyAt(events - 1))
    }
  })

  it('an abort ends a copy between two pages', async () => {
    await using opened = await stocked()
    const controller = new AbortController()
    const target = () => controller.abort()
    const { error, partial } = stopped(
      await opened.bulk.copyEvents({}, target, { ...options, signal: controller.signal }),
    )
    assert.deepEqual([error, partial.pages, partial.events], ['aborted', 1, 2])
    assert.deepEqual(partial.lastCursor, keyAt(1))
  })

  it('a copy into a store that closes stops, and the page is not counted as rejected', async () => {
    const there = await bulkWorld(verifier)
    await using here = await stocked()
    await there[Symbol.asyncDispose]()
    const target: CopyFunction = (_, { raws }) => there.bulk.importEvents(raws, { context: local })
    const { error, partial } = stopped(await here.bulk.copyEvents({}, target, options))
    assert.deepEqual([error, partial.events, partial.rejected], ['target_failed', 0, 0])
  })

  it('E-80 a source or target that is none is refused by name', async () => {
    await using opened = await stocked()
    for (const source of [undefined, null, 'elsewhere', 'local', 7, [{}], { local: 'all' }]) {
      const outcome = await opened.bulk.copyEvents(source as CopySource, 'local', options)
      assert.equal(stopped(outcome).error, 'invalid_source', JSON.stringify(source))
    }
    for (const target of [undefined, null, 'remote', 7, {}, { fun: 'x' }]) {
      const outcome = await opened.bulk.copyEvents({}, target as CopyTarget, options)
      assert.equal(stopped(outcome).error, 'invalid_target')
    }
    assert.equal(
      stopped(await opened.bulk.copyEvents({ limit: 1 }, 'local', options)).error,
      'limit_not_allowed',
    )
    assert.equal(opened.reads(), 0)
  })
})
