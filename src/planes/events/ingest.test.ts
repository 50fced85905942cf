import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '../../../test/helpers/fake-clock.ts'
import { realEvents } from '../../../test/helpers/real-events.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { silentLogger } from '../../kernel/logger.ts'
import { createSqliteStore, type SqliteStore } from '../../stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent } from './event.ts'
import { createSqliteEventStore } from './event-store.sqlite.ts'
import { type EventStore, everything } from './event-store.ts'
import { createIngest, type Ingest, type IngestContext, type IngestOptions } from './ingest.ts'
import { defaultLimits } from './limits.ts'
import { createSigner, generateSecretKey } from './signer.ts'
import type { Verifier } from './verifier.ts'
import { createWorkerVerifier } from './verifier.workers.ts'
import { createWritePolicy } from './write-policy.ts'

const now = 1_700_000_000
const relayUrls = ['wss://relay.example/']
const client: IngestContext = { source: 'client', remote: '192.0.2.1' }
const sources: readonly IngestContext[] = [
  client,
  { source: 'sync', remote: 'wss://peer.example/' },
  { source: 'import', remote: 'import' },
]
const alice = createSigner(generateSecretKey())
const bob = createSigner(generateSecretKey())
let serial = 0
const note = (fields: Partial<NostrEvent> = {}, signer = alice): NostrEvent =>
  signer.sign({ created_at: now, kind: 1, tags: [], content: `note ${serial++}`, ...fields })
const raw = (event: NostrEvent): string => JSON.stringify(event)
/** Another signature that looks like one. */
const forged = (event: NostrEvent): NostrEvent => ({
  ...event,
  sig: (event.sig[0] === '0' ? '1' : '0') + event.sig.slice(1),
})

interface Setup extends AsyncDisposable {
  readonly ingest: Ingest<SqliteTx>
  readonly events: EventStore<SqliteTx>
  readonly store: SqliteStore
  /** Ids whose signature was checked, in order. */
  readonly checkedIds: string[]
  /** Ids that readers were told about. */
  readonly told: string[]
  count(): Promise<number>
}

describe('ingest', () => {
  let verifier: Verifier
  before(() => {
    verifier = createWorkerVerifier({ workers: 1 })
  })
  after(() => verifier[Symbol.asyncDispose]())

  async function setup(options: Partial<IngestOptions<SqliteTx>> = {}): Promise<Setup> {
    await using opening = new AsyncDisposableStack()
    const folder = opening.use(await temporaryFolder())
    const store = opening.use(await createSqliteStore({ dir: folder.path }))
    const clock = new FakeClock(now * 1_000)
    const log = silentLogger
    const events = opening.use(
      await createSqliteEventStore({ store, clock, log, relayUrls, restrictedKinds: [] }),
    )
    const checkedIds: string[] = []
    const counting: Verifier = {
      verify: (asked, signal) => {
        checkedIds.push(...asked.map(({ id }) => id))
        return verifier.verify(asked, signal)
      },
      async [Symbol.asyncDispose]() {},
    }
    const told: string[] = []
    events.onAccepted((accepted) => told.push(...accepted.map(({ id }) => id)))
    const policy = createWritePolicy({ limits: defaultLimits })
    const parts = { store: events, verifier: counting, policy, limits: defaultLimits, clock, relayUrls }
    const ingest = createIngest<SqliteTx>({ ...parts, ...options })
    const stack = opening.move()
    return {
      ingest,
      events,
      store,
      checkedIds,
      told,
      count: () => events.count([{}], everything),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  }

  it('E-138 E-140 takes in real events, and knows them again without checking anything', async () => {
    await using world = await setup()
    const first = await world.ingest.accept(realEvents, client)
    assert.deepEqual(
      first.filter(({ outcome }) => !['stored', 'deleted', 'superseded'].includes(outcome)),
      [],
    )
    const stored = first.filter(({ outcome }) => outcome === 'stored')
    assert.ok(stored.length > 500)
    assert.equal(world.checkedIds.length, realEvents.length)
    const kept = await world.events.get(stored.map(({ id }) => id!))
    for (const { raw } of kept) assert.ok(realEvents.includes(raw))

    const again = kept.map(({ raw }) => raw)
    for (const result of await world.ingest.accept(again, client)) {
      assert.deepEqual(
        { ...result, id: '' },
        { id: '', accepted: true, outcome: 'duplicate', reason: 'duplicate: already have this event' },
      )
    }
    assert.equal(world.checkedIds.length, realEvents.length)
  })

  it('E-138 N1 every forgery of a real event is refused, through every door', async () => {
    await using world = await setup()
    const flip = (hex: string) => (hex.startsWith('0') ? '1' : '0') + hex.slice(1)
    const originals = realEvents.slice(0, 120).map((text) => JSON.parse(text) as NostrEvent)
    for (const source of sources) {
      const forgeries = originals.flatMap((event) => [
        forged(event),
        { ...event, id: flip(event.id) },
        { ...event, content: `${event.content}!` },
        { ...event, sig: event.sig.toUpperCase().replace(/^\d*$/, 'A') },
      ])
      for (const result of await world.ingest.accept(forgeries.map(raw), source)) {
        assert.equal(result.outcome, 'rejected')
        assert.equal(result.accepted, false)
        assert.match(result.reason, /^invalid: /)
      }
    }
    assert.equal(await world.count(), 0)
    assert.deepEqual(world.told, [])
  })

  it('answers in order, and a bad event never affects its neighbours', async () => {
    await using world = await setup()
    const bad: Readonly<Record<string, () => string>> = {
      'not JSON': () => '{',
      empty: () => '',
      'too deep': () => '['.repeat(5_000),
      'too large': () => raw(note({ content: 'x'.repeat(defaultLimits.maxEventBytes) })),
      'wrong id': () => raw({ ...note(), content: 'other' }),
      'wrong signature': () => raw(forged(note())),
      'too new': () => raw(note({ created_at: now + 901 })),
      'kind 22242': () => raw(note({ kind: 22_242 })),
      'half a surrogate': () => raw({ ...note(), content: '\ud800' }),
    }
    const batch = fc.array(fc.option(fc.constantFrom(...Object.keys(bad)), { freq: 2 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(batch, async (kinds) => {
        const before = await world.count()
        const raws = kinds.map((kind) => (kind === null ? raw(note()) : bad[kind]!()))
        const results = await world.ingest.accept(raws, client)
        assert.deepEqual(
          results.map(({ accepted }) => accepted),
          kinds.map((kind) => kind === null),
        )
        for (const [i, { id, reason }] of results.entries())
          if (kinds[i] === null) assert.deepEqual([id, reason], [JSON.parse(raws[i]!).id, ''])
        const good = kinds.filter((kind) => kind === null).length
        assert.equal(await world.count(), before + good)
      }),
      { numRuns: 15 },
    )
  })

  it('gives each outcome of the store its own words', async () => {
    await using world = await setup()
    const say = async (event: NostrEvent) => {
      const [result] = await world.ingest.accept([raw(event)], client)
      return [result!.accepted, result!.outcome, result!.reason]
    }
    const newer = note({ kind: 0, created_at: now - 1 })
    assert.deepEqual(await say(newer), [true, 'stored', ''])
    const older = note({ kind: 0, created_at: now - 2 })
    assert.deepEqual(await say(older), [true, 'superseded', 'duplicate: have newer event'])

    const gone = note()
    await say(note({ kind: 5, tags: [['e', gone.id]] }))
    const [accepted, outcome, reason] = await say(gone)
    assert.deepEqual([accepted, outcome], [false, 'deleted'])
    assert.match(String(reason), /^blocked: /)

    await say(note({ kind: 62, created_at: now - 10, tags: [['relay', 'wss://relay.example']] }, bob))
    const back = await say(note({ created_at: now - 20 }, bob))
    assert.deepEqual(back.slice(0, 2), [false, 'vanished'])
    assert.match(String(back[2]), /^blocked: /)

    const expired = await say(note({ tags: [['expiration', String(now)]] }))
    assert.deepEqual(expired, [false, 'rejected', 'invalid: event expired'])
    assert.deepEqual(await say(note({ kind: 20_001 })), [true, 'ephemeral', ''])
  })

  it('E-140 the second of two equal events in one batch, or at the same time, is a duplicate', async () => {
    await using world = await setup()
    const [a, b] = [raw(note()), raw(note())]
    const outcomes = (await world.ingest.accept([a, a], client)).map(({ outcome }) => outcome)
    assert.deepEqual(outcomes, ['stored', 'duplicate'])
    const both = await Promise.all([world.ingest.accept([b], client), world.ingest.accept([b], sources[1]!)])
    assert.deepEqual(
      both
        .flat()
        .map(({ outcome }) => outcome)
        .sort(),
      ['duplicate', 'stored'],
    )
    assert.equal(await world.count(), 2)
  })

  it('E-153 an ephemeral event reaches readers once, however often it comes, and is stored nowhere', async () => {
    await using world = await setup()
    const event = note({ kind: 20_001 })
    const [first, second] = await world.ingest.accept([raw(event), raw(event)], client)
    assert.equal(first!.outcome, 'ephemeral')
    assert.deepEqual([second!.accepted, second!.outcome], [true, 'duplicate'])
    const [third] = await world.ingest.accept([raw(event)], sources[1]!)
    assert.equal(third!.reason, 'duplicate: already have this event')
    assert.deepEqual(world.told, [event.id])
    assert.equal(await world.count(), 0)
    assert.deepEqual(world.checkedIds, [event.id, event.id])
  })

  it('what a policy refuses is not worth checking a signature', async () => {
    await using world = await setup()
    const [result] = await world.ingest.accept([raw(note({ tags: [['-']] }))], client)
    assert.match(result!.reason, /^auth-required: /)
    assert.equal(result!.code, 'event/protected')
    assert.deepEqual(world.checkedIds, [])
    const known = { ...client, authenticated: [alice.pubkey] }
    const [own] = await world.ingest.accept([raw(note({ tags: [['-']] }))], known)
    assert.equal(own!.outcome, 'stored')
  })

  it('I2 a signature found genuine is not checked again, but another one of the same id is', async () => {
    await using world = await setup()
    await world.ingest.accept([raw(note({ kind: 0 }))], client)
    const older = note({ kind: 0, created_at: now - 5 })
    for (let i = 0; i < 3; i++) await world.ingest.accept([raw(older)], client)
    assert.equal(world.checkedIds.filter((id) => id === older.id).length, 1)
    const [result] = await world.ingest.accept([raw(forged(older))], client)
    assert.equal(result!.code, 'event/wrong-signature')
    assert.equal(world.checkedIds.filter((id) => id === older.id).length, 2)
  })

  it('only an import may take signatures on trust, and ids never', async () => {
    await using world = await setup()
    const [imported, synced] = [forged(note()), forged(note())]
    const trusting = (context: IngestContext): IngestContext => ({ ...context, trusted: true })
    const [first] = await world.ingest.accept([raw(imported)], trusting(sources[2]!))
    assert.equal(first!.outcome, 'stored')
    for (const source of [client, sources[1]!]) {
      const [result] = await world.ingest.accept([raw(synced)], trusting(source))
      assert.equal(result!.code, 'event/wrong-signature')
    }
    const [wrong] = await world.ingest.accept([raw({ ...note(), content: 'x' })], trusting(sources[2]!))
    assert.equal(wrong!.code, 'event/wrong-id')
  })

  it('K2 K3 commitIn stores with the transaction of the caller or not at all', async () => {
    await using world = await setup()
    const raws = [raw(note()), raw(forged(note())), raw(note())]
    const checked = await world.ingest.check(raws, sources[1]!)
    assert.equal(await world.count(), 0)
    const rolledBack = world.store.transaction(async (tx) => {
      await world.ingest.commitIn(tx, checked)
      throw new Error('the checkpoint could not be written')
    })
    await assert.rejects(rolledBack, /checkpoint/)
    assert.equal(await world.count(), 0)
    const results = await world.store.transaction((tx) => world.ingest.commitIn(tx, checked))
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['stored', 'rejected', 'stored'],
    )
    assert.equal(await world.count(), 2)
  })

  it('K1 acknowledges nothing when the store fails', async () => {
    const world = await setup()
    await world[Symbol.asyncDispose]()
    const event = note()
    const results = await world.ingest.accept([raw(event), '{'], client)
    for (const { accepted, outcome, reason } of results) {
      assert.deepEqual([accepted, outcome], [false, 'failed'])
      assert.match(reason, /^error: /)
    }
    assert.equal(results[0]!.id, event.id)
    await assert.rejects(world.ingest.check([raw(event)], sources[1]!))
  })

  it('an ephemeral event that could not be passed on is not a duplicate when it comes again', async () => {
    await using good = await setup()
    let broken = true
    const store = {
      known: (ids: readonly string[]) => good.events.known(ids),
      put: async (events: Parameters<EventStore<SqliteTx>['put']>[0]) => {
        if (broken) throw new Error('disk full')
        return good.events.put(events)
      },
      putIn: good.events.putIn.bind(good.events),
    }
    await using world = await setup({ store })
    const event = raw(note({ kind: 20_001 }))
    assert.equal((await world.ingest.accept([event], client))[0]!.outcome, 'failed')
    broken = false
    assert.equal((await world.ingest.accept([event], client))[0]!.outcome, 'ephemeral')
  })

  it('N1 what the verifier could not decide is neither stored nor refused for good', async () => {
    const broken = createWorkerVerifier({ workers: 1 })
    await broken[Symbol.asyncDispose]()
    await using world = await setup({ verifier: broken })
    const [result] = await world.ingest.accept([raw(note())], client)
    assert.deepEqual([result!.accepted, result!.outcome], [false, 'failed'])
    await assert.rejects(world.ingest.check([raw(note())], sources[1]!))
    assert.equal(await world.count(), 0)
  })

  it('a policy that breaks on one event fails that one alone', async () => {
    const standard = createWritePolicy({ limits: defaultLimits })
    await using world = await setup({
      policy: (event, context) => {
        if (event.content === 'poison') throw new TypeError('a bug')
        return standard(event, context)
      },
    })
    const results = await world.ingest.accept(
      [raw(note()), raw(note({ content: 'poison' })), raw(note())],
      client,
    )
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['stored', 'failed', 'stored'],
    )
  })

  it('an aborted batch ends with its reason, and nothing of it is stored', async () => {
    await using world = await setup()
    const reason = new Error('connection closed')
    const abort = new AbortController()
    const running = world.ingest.accept([raw(note()), raw(note())], client, abort.signal)
    abort.abort(reason)
    await assert.rejects(running, reason)
    await assert.rejects(world.ingest.check([raw(note())], client, abort.signal), reason)
    assert.equal(await world.count(), 0)
  })

  it('no event at all is no work', async () => {
    await using world = await setup()
    assert.deepEqual(await world.ingest.accept([], client), [])
  })
})
