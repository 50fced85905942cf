import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { bulkNow, bulkWorld, local } from '../../../../test/helpers/bulk-world.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import type { NostrEvent } from '../event.ts'
import type { Verifier } from '../verifier.ts'
import { createWorkerVerifier } from '../verifier.workers.ts'
import type { BulkErrorCode, BulkResult } from './bulk-result.ts'
import type { BulkImportOptions, BulkImportResult, ImportedEvent } from './event-import.ts'
import type { RequestContext } from './request-context.ts'

const context = local
const remote: RequestContext = { caller: 'sync', remote: 'wss://peer.example/' }

/** Another signature that looks like one. */
const forged = (event: NostrEvent): NostrEvent => {
  return { ...event, sig: (event.sig[0] === '0' ? '1' : '0') + event.sig.slice(1) }
}

function imported(result: BulkResult<BulkImportResult>): BulkImportResult {
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}

function countsOf({ accepted, duplicates, rejected }: BulkImportResult): number[] {
  return [accepted, duplicates, rejected]
}

function errorOf(result: BulkResult<unknown>): BulkErrorCode | undefined {
  return result.ok ? undefined : result.error
}

describe('import of events', () => {
  let verifier: Verifier
  let alice: Author
  let bob: Author
  before(() => {
    verifier = createWorkerVerifier({ workers: 1 })
    alice = newAuthor(() => bulkNow)
    bob = newAuthor(() => bulkNow)
  })
  after(() => verifier[Symbol.asyncDispose]())

  it('E-88 one bad event among a hundred is rejected, the others are stored, answered in their order', async () => {
    await using opened = await bulkWorld(verifier)
    const notes = Array.from({ length: 100 }, (_, at) => alice.write({ content: `note ${at}` }))
    const batch = notes.with(41, forged(notes[41]!))
    const result = imported(await opened.bulk.importEvents(batch, { context: remote }))
    assert.deepEqual(countsOf(result), [99, 0, 1])
    assert.deepEqual(
      result.results.map(({ id }) => id),
      notes.map(({ id }) => id),
    )
    assert.deepEqual(result.results[41], {
      id: notes[41]!.id,
      outcome: 'rejected',
      message: 'invalid: the signature is wrong',
    })
    assert.deepEqual(result.results[42], { id: notes[42]!.id, outcome: 'stored', message: '' })
    assert.equal((await opened.stored()).length, 99)
  })

  it('E-88 a batch ends as its events do when they are published one after the other', async () => {
    const profile = (created_at: number) => alice.write({ kind: 0, created_at })
    const notes = [alice.write({ content: 'a' }), alice.write({ content: 'b' }), bob.write({ content: 'c' })]
    const deletion = (author: Author, { id }: NostrEvent) => author.write({ kind: 5, tags: [['e', id]] })
    const pool: NostrEvent[] = [
      ...notes,
      ...[1, 2, 3].map(profile),
      deletion(alice, notes[0]!),
      deletion(bob, notes[1]!),
      bob.write({ kind: 20_001 }),
      forged(bob.write({ content: 'd' })),
      alice.write({ tags: [['expiration', String(bulkNow - 1)]] }),
    ]
    const lists = fc.array(fc.constantFrom(...pool), { maxLength: 14 })
    await fc.assert(
      fc.asyncProperty(fc.subarray(pool, { maxLength: 3 }), lists, async (before, batch) => {
        await using together = await bulkWorld(verifier)
        await using apart = await bulkWorld(verifier)
        for (const { bulk } of [together, apart])
          imported(await bulk.importEvents(before, { context: remote }))
        const whole = imported(await together.bulk.importEvents(batch, { context: remote }))
        const single: BulkImportResult[] = []
        for (const event of batch)
          single.push(imported(await apart.bulk.importEvents([event], { context: remote })))
        assert.deepEqual(await together.stored(), await apart.stored())
        // What was stored before is a duplicate to a batch, even one that deletes it first.
        const isNew = ({ id }: ImportedEvent) => before.every((event) => event.id !== id)
        const [results, expected] = [whole.results, single.flatMap((one) => one.results)]
        assert.deepEqual(results.filter(isNew), expected.filter(isNew))
        assert.equal(
          countsOf(whole).reduce((sum, count) => sum + count),
          batch.length,
        )
      }),
      { numRuns: 60 },
    )
  })

  it('E-89 the winner of a replaceable does not depend on the order of the batch', async () => {
    const versions = [1, 2, 3, 3].map((created_at, at) => {
      return alice.write({ kind: 10_002, created_at, content: String(at) })
    })
    const [c = '', d = ''] = versions.slice(2).map(({ id }) => id)
    const winner = versions.find(({ id }) => id === (c < d ? c : d))
    const orders = fc.shuffledSubarray(versions, { minLength: 4, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(orders, async (batch) => {
        await using opened = await bulkWorld(verifier)
        imported(await opened.bulk.importEvents(batch, { context: remote }))
        assert.deepEqual(await opened.stored(), [JSON.stringify(winner)])
      }),
      { numRuns: 24 },
    )
  })

  it('live readers hear of each new event once, after it was stored', async () => {
    await using opened = await bulkWorld(verifier)
    const heard: string[] = []
    using _listening = opened.events.onAccepted((events) => heard.push(...events.map(({ id }) => id)))
    const [a, b] = [alice.write({ content: '1' }), alice.write({ content: '2' })]
    const result = imported(await opened.bulk.importEvents([a, b, a, forged(b)], { context: remote }))
    assert.deepEqual(countsOf(result), [2, 1, 1])
    imported(await opened.bulk.importEvents([a, b], { context: remote }))
    assert.deepEqual(heard, [a.id, b.id])
  })

  it('N2 signatures are taken on trust for a local copy alone, and ids never', async () => {
    await using opened = await bulkWorld(verifier)
    const { bulk } = opened
    const event = forged(alice.write({ content: 'trusted' }))
    const trust = 'verified_upstream'
    assert.deepEqual(countsOf(imported(await bulk.importEvents([event], { context }))), [0, 0, 1])
    for (const caller of ['websocket', 'http', 'sync'] as const) {
      assert.equal(
        errorOf(await bulk.importEvents([event], { context: { caller }, trust })),
        'trust_not_allowed',
      )
    }
    const other = { context, trust: 'everything' } as unknown as BulkImportOptions
    assert.equal(errorOf(await bulk.importEvents([event], other)), 'trust_not_allowed')
    const result = imported(
      await bulk.importEvents([event, { ...event, content: 'other' }, { ...event, id: 'f'.repeat(64) }], {
        context,
        trust,
      }),
    )
    assert.deepEqual(countsOf(result), [1, 0, 2])
    assert.deepEqual(await opened.stored(), [JSON.stringify(event)])
  })

  it('a protected event comes in through the door of its author only, or from our own files', async () => {
    await using opened = await bulkWorld(verifier)
    const { bulk } = opened
    const outcome = async (given: RequestContext) => {
      const event = alice.write({ tags: [['-']], content: JSON.stringify(given) })
      return imported(await bulk.importEvents([event], { context: given })).results[0]
    }
    assert.match(String((await outcome({ caller: 'websocket' }))?.message), /^auth-required: /)
    assert.match(String((await outcome(remote))?.message), /^auth-required: /)
    const asBob: RequestContext = { caller: 'http', authenticatedPubkeys: [bob.pubkey] }
    assert.match(String((await outcome(asBob))?.message), /^restricted: /)
    const asAlice: RequestContext = { caller: 'http', authenticatedPubkeys: [alice.pubkey] }
    assert.equal((await outcome(asAlice))?.outcome, 'stored')
    assert.equal((await outcome(local))?.outcome, 'stored')
  })

  it('what is no event at all is rejected like any other', async () => {
    await using opened = await bulkWorld(verifier)
    const loop: { self?: unknown } = {}
    loop.self = loop
    const good = alice.write()
    const batch = [undefined, null, 7, loop, 10n, '', '[]', '{', good, []] as unknown as NostrEvent[]
    const result = imported(await opened.bulk.importEvents(batch, { context }))
    assert.deepEqual(countsOf(result), [1, 0, 9])
    assert.deepEqual(result.results[8], { id: good.id, outcome: 'stored', message: '' })
    assert.ok(result.results.every(({ message }, at) => at === 8 || message.startsWith('invalid: ')))
  })

  it('an empty batch is nothing; what makes no sense is refused by name', async () => {
    await using opened = await bulkWorld(verifier)
    const { bulk } = opened
    assert.deepEqual(imported(await bulk.importEvents([], { context })), {
      accepted: 0,
      duplicates: 0,
      rejected: 0,
      results: [],
    })
    const missing = {} as BulkImportOptions
    assert.equal(errorOf(await bulk.importEvents([], missing)), 'missing_context')
    assert.equal(errorOf(await bulk.importEvents({} as [], { context })), 'invalid_events')
    assert.equal(errorOf(await bulk.importEvents(Array(5_001).fill(''), { context })), 'invalid_events')
    const signal = AbortSignal.abort()
    assert.equal(errorOf(await bulk.importEvents([alice.write()], { context, signal })), 'aborted')
    assert.deepEqual(await opened.stored(), [])
  })

  it('a store that fails fails the batch, and says nothing about its events', async () => {
    const opened = await bulkWorld(verifier)
    await opened[Symbol.asyncDispose]()
    const result = await opened.bulk.importEvents([alice.write()], { context })
    assert.equal(errorOf(result), 'import_failed')
    assert.match(String(!result.ok && result.detail), /^error: /)
  })
})
