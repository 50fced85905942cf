import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextRun, parseSchedule } from '../../src/jobs/schedule.ts'
import type { AnyPlane } from '../../src/kernel/attempt.ts'
import { unknownHealth } from '../../src/kernel/health.ts'
import { type Link, linkId } from '../../src/kernel/link.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { peerId } from '../../src/kernel/peer.ts'
import type { Session } from '../../src/kernel/plane.ts'
import type { Outcome, Progress } from '../../src/kernel/progress.ts'
import { defaultRetryPolicy, type RetryPolicy } from '../../src/kernel/retry.ts'
import { totals } from '../../src/kernel/run.ts'
import { Scheduler } from '../../src/kernel/scheduler.ts'
import { SyncError } from '../../src/kernel/sync-error.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../src/stores/sqlite/sqlite-tx.ts'
import { MemoryNetwork } from '../../src/transports/memory.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

type Notes = Session<{ topic: string }, number, SqliteTx>
type Sync = (session: Notes) => AsyncGenerator<Progress, Outcome>

const transferring = (done: number): Progress => ({ phase: 'transferring', done })
const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    if (signal.aborted) reject(signal.reason)
  })

/** A plane whose data is a table of notes and whose checkpoint is a number: what the kernel promises shows in both. */
function notesPlane(sync: Sync): AnyPlane<SqliteTx> {
  return {
    name: 'notes',
    scope: { parse: (input) => input },
    checkpoint: { parse: (input) => Number(input) },
    migrations: [
      {
        id: 'notes-0001-create',
        up: (tx) => tx.db.exec('CREATE TABLE notes (text TEXT PRIMARY KEY) STRICT'),
      },
    ],
    sync,
  }
}

async function world(sync: Sync, overrides: Partial<Link> = {}) {
  const stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const store = stack.use(await createSqliteStore({ dir: folder.path }))
  const plane = notesPlane(sync)
  await store.migrate(plane.migrations)
  const network = new MemoryNetwork()
  const peer = {
    id: peerId('p'),
    name: 'peer',
    addresses: [{ transport: 'memory', value: 'there' }],
    enabled: true,
    metadata: {},
  }
  const link: Link = {
    id: linkId('l'),
    peer: peer.id,
    plane: 'notes',
    scope: { topic: 'x' },
    scopeKey: 'x',
    direction: 'down',
    live: false,
    enabled: true,
    schedule: undefined,
    ...overrides,
  }
  await store.transaction(async (tx) => {
    await store.peers.put(tx, peer)
    await store.links.put(tx, link)
  })
  const clock = new FakeClock()
  const transport = stack.use(network.transport())
  const scheduler = (owner = 'me', concurrency = 4, retry: RetryPolicy = defaultRetryPolicy) =>
    new Scheduler<SqliteTx>({
      store,
      planes: new Map([['notes', plane]]),
      transports: new Map([['memory', transport]]),
      clock,
      random: () => 0.5,
      log: silentLogger,
      owner,
      retry: () => retry,
      concurrency,
      idleMs: 60_000,
      leaseMs: 3_600_000,
      pollMs: 10_000,
      nextRun: (schedule, after) => nextRun(parseSchedule(schedule), new Date(after))?.getTime(),
    })
  const notes = () =>
    store.read((tx) =>
      tx
        .prepare('SELECT text FROM notes ORDER BY text')
        .all()
        .map((row) => String(row.text)),
    )
  const checkpoint = () => store.read((tx) => store.links.checkpoint(tx, link.id))
  return {
    store,
    network,
    clock,
    link,
    scheduler,
    notes,
    checkpoint,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const note = (session: Notes, text: string, checkpoint: number, fail = false) =>
  session.commit(async (tx) => {
    tx.prepare('INSERT OR IGNORE INTO notes VALUES (?)').run(text)
    if (fail) throw new SyncError('data/invalid', 'not this one')
    return { checkpoint }
  })

const options = { signal: new AbortController().signal }

test('K3 data and checkpoint move together: what a failing commit wrote is gone, and its checkpoint with it', async () => {
  await using w = await world(async function* (session) {
    await note(session, 'kept', 1)
    yield transferring(1)
    await note(session, 'lost', 2, true)
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const run = await scheduler.runNow(w.link.id, options)
  assert.equal(run.state, 'blocked', 'invalid data is not worth another try')
  assert.equal(run.reason, 'not this one')
  assert.deepEqual(await w.notes(), ['kept'])
  assert.equal(await w.checkpoint(), 1)
})

test('more continues at once from the checkpoint, until the link is caught up', async () => {
  const seen: (number | undefined)[] = []
  await using w = await world(async function* (session) {
    seen.push(session.checkpoint)
    const next = (session.checkpoint ?? 0) + 1
    await note(session, `n${next}`, next)
    yield transferring(1)
    return next < 3 ? { kind: 'more' } : { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const run = await scheduler.runNow(w.link.id, options)
  assert.equal(run.state, 'idle')
  assert.notEqual(run.caughtUpAt, undefined)
  assert.deepEqual(seen, [undefined, 1, 2])
  assert.deepEqual(await w.notes(), ['n1', 'n2', 'n3'])
})

test('rebuild drops the checkpoint and starts over; a second one at once blocks the link', async () => {
  const seen: (number | undefined)[] = []
  await using w = await world(async function* (session) {
    seen.push(session.checkpoint)
    await note(session, `n${seen.length}`, seen.length)
    yield transferring(1)
    return { kind: 'rebuild', reason: 'history is pruned' }
  })
  await using scheduler = w.scheduler()
  const run = await scheduler.runNow(w.link.id, options)
  assert.deepEqual(seen, [undefined, undefined])
  assert.equal(run.state, 'blocked')
  assert.match(run.reason ?? '', /history is pruned/)
})

test('a silent attempt is given up after its idle time and tried again with a delay', async () => {
  await using w = await world(async function* (session) {
    yield transferring(0)
    return await never(session.signal)
  })
  await using scheduler = w.scheduler()
  const running = scheduler.runNow(w.link.id, options)
  await untilSleeping(w.clock)
  await w.clock.advance(60_000)
  const run = await running
  assert.equal(run.state, 'waiting')
  assert.match(run.reason ?? '', /nothing came from peer for 60 s/)
  assert.equal(run.dueAt, w.clock.now() + 750)
  assert.equal(run.fault?.code, 'peer/unreachable')
  assert.equal(run.fault?.permanent, false)
})

test('K5 an owner whose lease was taken over can no longer commit', async () => {
  await using w = await world(async function* (session) {
    await w.store.transaction(async (tx) => {
      await w.store.jobs.releaseAll(tx, 'me')
      assert.notEqual(await w.store.jobs.claim(tx, w.link.id, 'other', 60_000), undefined)
    })
    await note(session, 'late', 1)
    yield transferring(1)
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const run = await scheduler.runNow(w.link.id, options)
  assert.equal(run.state, 'waiting')
  assert.deepEqual(await w.notes(), [])
  assert.equal(await w.checkpoint(), undefined)
})

test('a link taken by another worker is not run a second time', async () => {
  await using w = await world(async function* () {
    yield transferring(0)
    return { kind: 'caught-up' }
  })
  await w.store.transaction((tx) => w.store.jobs.claim(tx, w.link.id, 'other', 60_000))
  await using scheduler = w.scheduler()
  await assert.rejects(scheduler.runNow(w.link.id, options), { code: 'store/busy' })
})

test('two callers share one attempt', async () => {
  let attempts = 0
  await using w = await world(async function* () {
    attempts++
    yield transferring(0)
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const first = scheduler.runNow(w.link.id, options)
  const second = scheduler.runNow(w.link.id, options)
  assert.deepEqual(await first, await second)
  assert.equal(attempts, 1)
})

/** Links of peers of their own: `<peer>-<n>` each, live. */
async function addLinks(w: Awaited<ReturnType<typeof world>>, peer: string, count: number) {
  await w.store.transaction(async (tx) => {
    const [known] = await w.store.peers.list(tx)
    await w.store.peers.put(tx, { ...known!, id: peerId(peer), name: peer })
    for (let n = 0; n < count; n++) {
      const own = { id: linkId(`${peer}-${n}`), peer: peerId(peer), scopeKey: `${n}`, live: true }
      await w.store.links.put(tx, { ...w.link, ...own })
    }
  })
}

for (const [where, keeps] of [
  ['connects', undefined],
  ['waits for its turn', { phase: 'queued', done: 0 }],
] as const)
  test(`K9 P-50 a peer whose links hang while the first of them ${where} delays no other peer`, async () => {
    const reached = Promise.withResolvers<void>()
    const hanging = new Set<string>()
    await using w = await world(async function* (session) {
      if (session.peer.name === 'well') {
        yield transferring(0)
        reached.resolve()
        return { kind: 'caught-up' }
      }
      hanging.add(session.link.id)
      if (keeps !== undefined) yield keeps
      return await never(session.signal)
    })
    await addLinks(w, 'hangs', 8)
    await addLinks(w, 'well', 1)
    await using scheduler = w.scheduler('me', 2)
    scheduler.start()
    await reached.promise
    if (keeps === undefined) assert.equal(hanging.size, 1, 'the others have no line to go by')
  })

test('K11 P-59 stopping ends a live attempt, closes its channel and keeps what was committed', async () => {
  const closed = Promise.withResolvers<void>()
  const live = Promise.withResolvers<void>()
  await using w = await world(
    async function* (session) {
      await session.open('notes')
      await note(session, 'kept', 1)
      yield { phase: 'live', done: 1 }
      live.resolve()
      return await never(session.signal)
    },
    { live: true },
  )
  using _listener = w.network.listen('there', (channel) => {
    void (async () => {
      for await (const _ of channel);
    })().then(closed.resolve, closed.resolve)
  })
  const scheduler = w.scheduler()
  scheduler.start()
  await live.promise
  await scheduler[Symbol.asyncDispose]()
  await closed.promise
  const run = await w.store.read((tx) => w.store.links.run(tx, w.link.id))
  assert.equal(run?.state, 'idle')
  assert.deepEqual(await w.notes(), ['kept'])
  assert.equal(w.clock.sleeping, 0, 'no timer is left behind')
})

test('K6 a link left running by a dead process is taken up again', async () => {
  await using w = await world(
    async function* () {
      yield transferring(0)
      return { kind: 'caught-up' }
    },
    { schedule: '1m' },
  )
  await w.store.transaction(async (tx) => {
    const run = await w.store.links.run(tx, w.link.id)
    assert.equal(run, undefined)
    await w.store.jobs.claim(tx, w.link.id, 'me', 3_600_000)
    const { initialRun, step } = await import('../../src/kernel/run.ts')
    await w.store.links.saveRun(tx, w.link.id, step(initialRun, { kind: 'start', at: w.clock.now() }))
  })
  await using scheduler = w.scheduler()
  const caughtUp = Promise.withResolvers<void>()
  using _listener = scheduler.onUpdate(({ run }) => {
    if (run.caughtUpAt !== undefined && run.state === 'idle') caughtUp.resolve()
  })
  scheduler.start()
  await caughtUp.promise
})

test('a plane that ignores its signal does not hold the shutdown hostage', async () => {
  const started = Promise.withResolvers<void>()
  await using w = await world(async function* () {
    yield transferring(0)
    started.resolve()
    return await new Promise<never>(() => {})
  })
  const scheduler = w.scheduler()
  const running = scheduler.runNow(w.link.id, options)
  await started.promise
  const stopped = scheduler[Symbol.asyncDispose]()
  await w.clock.advance(5_000)
  await stopped
  assert.equal((await running).state, 'idle')
})

test('what went wrong last stays in the health of the peer, also after it recovered', async () => {
  let attempts = 0
  await using w = await world(async function* () {
    attempts++
    yield transferring(0)
    if (attempts === 1) throw new SyncError('peer/busy', 'come back later', { retryAfterMs: 30_000 })
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const first = await scheduler.runNow(w.link.id, options)
  assert.equal(first.dueAt, w.clock.now() + 30_000, "the peer's hint is a floor")
  assert.equal((await scheduler.runNow(w.link.id, options)).state, 'idle')
  const health = await w.store.read((tx) => w.store.peers.health(tx, w.link.peer))
  assert.equal(health?.consecutiveFailures, 0)
  assert.equal(health?.lastError?.message, 'come back later')
})

/** Resolves once something sleeps on the clock: the attempt has started and its watchdog waits. */
async function untilSleeping(clock: FakeClock, sleepers = 2): Promise<void> {
  while (clock.sleeping < sleepers) await new Promise((resolve) => setImmediate(resolve))
}

for (const [schedule, due] of [
  ['1m', '2026-01-01T00:01:00Z'],
  ['03:00', '2026-01-01T03:00:00Z'],
  ['30 * * * *', '2026-01-01T00:30:00Z'],
] as const) {
  test(`a link that caught up is due again by its schedule ${schedule}`, async () => {
    await using w = await world(
      async function* () {
        yield transferring(0)
        return { kind: 'caught-up' }
      },
      { schedule },
    )
    await using scheduler = w.scheduler()
    assert.equal((await scheduler.runNow(w.link.id, options)).dueAt, Date.parse(due))
  })
}

test('a word for a running attempt reaches it, asked often is asked once, and one that came too late starts another', async () => {
  const started = Promise.withResolvers<void>()
  const taken: (readonly string[])[] = []
  let attempts = 0
  await using w = await world(async function* (session) {
    attempts++
    yield transferring(0)
    if (attempts === 1) {
      started.resolve()
      await session.triggers.wait(session.signal)
    }
    taken.push(session.triggers.take())
    if (attempts === 1) late.resolve()
    if (attempts === 1) await said.promise
    return { kind: 'caught-up' }
  })
  const late = Promise.withResolvers<void>()
  const said = Promise.withResolvers<void>()
  await using scheduler = w.scheduler()
  const first = await scheduler.trigger(w.link.id, 'full')
  assert.equal(first.kind, 'started')
  await started.promise
  await late.promise
  for (let i = 0; i < 10; i++) assert.equal((await scheduler.trigger(w.link.id, 'full')).kind, 'told')
  said.resolve()
  if (first.kind === 'started') await first.finished
  assert.deepEqual(taken, [['full'], ['full']], 'ten more callers cost one more attempt')
})

test('a plane that takes no words is not run for ever because of one', async () => {
  let attempts = 0
  await using w = await world(async function* () {
    attempts++
    yield transferring(0)
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const result = await scheduler.trigger(w.link.id, 'full')
  assert.equal(result.kind, 'started')
  if (result.kind === 'started') await result.finished
  assert.equal(attempts, 1)
})

test('asking a link that waits after failures starts it at once and forgets them, a paused one refuses', async () => {
  let fail = true
  await using w = await world(async function* () {
    yield transferring(0)
    if (fail) throw new SyncError('peer/unreachable', 'no answer')
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  assert.equal((await scheduler.runNow(w.link.id, options)).state, 'waiting')
  fail = false
  const result = await scheduler.trigger(w.link.id, 'sync')
  assert.equal(result.kind, 'started')
  if (result.kind === 'started') assert.equal((await result.finished).failures, 0)
  await scheduler.control(w.link.id, 'pause')
  assert.deepEqual(await scheduler.trigger(w.link.id, 'sync'), { kind: 'refused', reason: 'paused' })
})

test('every attempt stays in the history of its link with what it counted, and the counters add up over attempts', async () => {
  let attempt = 0
  await using w = await world(async function* () {
    attempt++
    const counters = { received: attempt }
    yield {
      phase: 'transferring',
      done: attempt,
      counters,
      marks: { event: attempt },
      notes: { way: 'short' },
    }
    if (attempt === 1) return { kind: 'more' }
    if (attempt === 2) return { kind: 'caught-up' }
    throw new SyncError('peer/busy', 'slow down')
  })
  await using scheduler = w.scheduler()
  await scheduler.runNow(w.link.id, options)
  const run = await scheduler.runNow(w.link.id, options)
  assert.deepEqual(totals(run), { received: 6 })
  assert.deepEqual(run.marks, { event: 3 })
  const history = await w.store.read((tx) => w.store.links.attempts(tx, w.link.id, 10))
  assert.deepEqual(
    history.map(({ trigger, end }) => [trigger, end?.result, end?.code, end?.reason, end?.counters.received]),
    [
      ['asked', 'failed', 'peer/busy', 'slow down', 3],
      ['more', 'caught-up', undefined, undefined, 2],
      ['asked', 'more', undefined, undefined, 1],
    ],
  )
  assert.deepEqual(history[0]?.end?.notes, { way: 'short' })
})

test('a live attempt that waits for news leaves its place to others', async () => {
  const other = linkId('other')
  const order: string[] = []
  const ran = Promise.withResolvers<void>()
  await using w = await world(
    async function* (session) {
      order.push(session.link.id)
      yield { phase: 'live', done: 0 }
      if (session.link.id === other) ran.resolve()
      return await never(session.signal)
    },
    { live: true },
  )
  await w.store.transaction((tx) => w.store.links.put(tx, { ...w.link, id: other, scopeKey: 'other' }))
  await using scheduler = w.scheduler('me', 1)
  scheduler.start()
  await ran.promise
  assert.equal(order.length, 2)
})
test('P-71 a peer that is away is left alone by all of its links until one attempt is due, and counts as one failure', async () => {
  const tried: string[] = []
  await using w = await world(
    async function* (session) {
      tried.push(session.link.id)
      yield transferring(0)
      throw new SyncError('peer/unreachable', 'no answer')
    },
    { live: true },
  )
  const other = linkId('other')
  await w.store.transaction((tx) => w.store.links.put(tx, { ...w.link, id: other, scopeKey: 'other' }))
  await using scheduler = w.scheduler('me', 1)
  const health = () => w.store.read((tx) => w.store.peers.health(tx, w.link.peer))
  const failed = Promise.withResolvers<void>()
  using _listener = scheduler.onUpdate(({ run }) => {
    if (run.state === 'waiting') failed.resolve()
  })
  scheduler.start()
  await failed.promise
  await untilSleeping(w.clock, 1)
  assert.deepEqual(tried, ['l'], 'the other link does not knock as well')
  assert.equal((await health())?.consecutiveFailures, 1)
  await w.clock.advance(749)
  assert.equal(tried.length, 1)
  await w.clock.advance(1)
  while ((await health())?.consecutiveFailures !== 2) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(tried.length, 2)
})

test('P-72 a peer that failed for a day is asked once a day, and one success ends that', async () => {
  const day = 86_400_000
  let tried = 0
  await using w = await world(
    async function* () {
      tried++
      yield transferring(0)
      if (tried < 3) throw new SyncError('peer/unreachable', 'no answer')
      return { kind: 'caught-up' }
    },
    { live: true },
  )
  const health = async () => (await w.store.read((tx) => w.store.peers.health(tx, w.link.peer)))!
  const nearly = { ...unknownHealth, consecutiveFailures: 300, firstFailureAt: w.clock.now() - day + 1 }
  await w.store.transaction((tx) => w.store.peers.saveHealth(tx, w.link.peer, nearly))
  await using scheduler = w.scheduler('me', 4, {
    ...defaultRetryPolicy,
    dead: { afterMs: day, everyMs: day },
  })
  const until = async (condition: () => Promise<boolean>) => {
    while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
  }
  scheduler.start()
  await until(async () => (await health()).consecutiveFailures === 301)
  const soon = (await health()).notBefore! - w.clock.now()
  assert.ok(soon <= defaultRetryPolicy.maxMs, 'as any other, up to a whole day')
  await untilSleeping(w.clock, 1)
  await w.clock.advance(soon)
  await until(async () => (await health()).consecutiveFailures === 302)
  assert.equal((await health()).notBefore, w.clock.now() + day)
  await untilSleeping(w.clock, 1)
  await w.clock.advance(day - 1)
  assert.equal(tried, 2)
  await w.clock.advance(1)
  await until(async () => (await health()).consecutiveFailures === 0)
  assert.equal((await health()).firstFailureAt, undefined)
})

test('E-51 P-58 what fails for one link alone holds back nobody else', async () => {
  const ran = Promise.withResolvers<void>()
  await using w = await world(async function* (session) {
    yield transferring(0)
    if (session.link.id === 'other') ran.resolve()
    else throw new SyncError('peer/rejected', 'restricted: not for you', { linkOnly: true })
    return { kind: 'caught-up' }
  })
  await using scheduler = w.scheduler()
  const run = await scheduler.runNow(w.link.id, options)
  assert.equal(run.fault?.permanent, true)
  assert.equal(run.dueAt, w.clock.now() + 225_000, 'the slow lane')
  assert.equal((await w.store.read((tx) => w.store.peers.health(tx, w.link.peer)))?.notBefore, undefined)
  const other = { ...w.link, id: linkId('other'), scopeKey: 'other', live: true }
  await w.store.transaction((tx) => w.store.links.put(tx, other))
  scheduler.start()
  await ran.promise
})
