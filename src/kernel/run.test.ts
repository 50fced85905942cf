import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  initialRun,
  type RunEvent,
  type RunRecord,
  type RunState,
  rebuildWindowMs,
  step,
  totals,
} from './run.ts'

const at = 1_000_000

/** Every event, the outcomes of `ended` told apart. A missing one does not compile. */
const events = {
  start: { kind: 'start', at },
  progress: { kind: 'progress', at, progress: { phase: 'transferring', done: 1 } },
  live: { kind: 'progress', at, progress: { phase: 'live', done: 1 } },
  'caught-up': { kind: 'ended', at, outcome: { kind: 'caught-up' }, nextAt: at + 60_000 },
  more: { kind: 'ended', at, outcome: { kind: 'more' }, nextAt: undefined },
  rebuild: { kind: 'ended', at, outcome: { kind: 'rebuild', reason: 'pruned' }, nextAt: undefined },
  blocked: { kind: 'ended', at, outcome: { kind: 'blocked', reason: 'approve me' }, nextAt: undefined },
  failed: { kind: 'failed', at, reason: 'refused', delayMs: 5_000 },
  'failed for good': { kind: 'failed', at, reason: 'wrong key', delayMs: undefined },
  cancelled: { kind: 'cancelled', at },
  pause: { kind: 'pause', at },
  resume: { kind: 'resume', at },
} as const satisfies Record<string, RunEvent>

/** The whole transition table: state × event → state. */
const table: Record<RunState, Record<keyof typeof events, RunState>> = {
  idle: {
    start: 'running',
    progress: 'idle',
    live: 'idle',
    'caught-up': 'idle',
    more: 'idle',
    rebuild: 'idle',
    blocked: 'idle',
    failed: 'idle',
    'failed for good': 'idle',
    cancelled: 'idle',
    pause: 'paused',
    resume: 'idle',
  },
  running: {
    start: 'running',
    progress: 'running',
    live: 'running',
    'caught-up': 'idle',
    more: 'idle',
    rebuild: 'idle',
    blocked: 'blocked',
    failed: 'waiting',
    'failed for good': 'blocked',
    cancelled: 'idle',
    pause: 'paused',
    resume: 'running',
  },
  waiting: {
    start: 'running',
    progress: 'waiting',
    live: 'waiting',
    'caught-up': 'waiting',
    more: 'waiting',
    rebuild: 'waiting',
    blocked: 'waiting',
    failed: 'waiting',
    'failed for good': 'waiting',
    cancelled: 'waiting',
    pause: 'paused',
    resume: 'idle',
  },
  blocked: {
    start: 'running',
    progress: 'blocked',
    live: 'blocked',
    'caught-up': 'blocked',
    more: 'blocked',
    rebuild: 'blocked',
    blocked: 'blocked',
    failed: 'blocked',
    'failed for good': 'blocked',
    cancelled: 'blocked',
    pause: 'paused',
    resume: 'idle',
  },
  paused: {
    start: 'paused',
    progress: 'paused',
    live: 'paused',
    'caught-up': 'paused',
    more: 'paused',
    rebuild: 'paused',
    blocked: 'paused',
    failed: 'paused',
    'failed for good': 'paused',
    cancelled: 'paused',
    pause: 'paused',
    resume: 'idle',
  },
}

const inState = (state: RunState): RunRecord => ({ ...initialRun, state })

for (const [state, row] of Object.entries(table) as [RunState, (typeof table)[RunState]][]) {
  for (const [name, next] of Object.entries(row) as [keyof typeof events, RunState][]) {
    test(`${state} + ${name} → ${next}`, () => assert.equal(step(inState(state), events[name]).state, next))
  }
}

test('an event that makes no sense in a state changes nothing at all', () => {
  for (const [state, row] of Object.entries(table) as [RunState, (typeof table)[RunState]][]) {
    for (const [name, next] of Object.entries(row) as [keyof typeof events, RunState][]) {
      const before = inState(state)
      if (next === state && !['progress', 'live'].includes(name))
        assert.equal(step(before, events[name]), before)
    }
  }
})

test('caught up is due again after the interval, more and rebuild at once, blocked never', () => {
  const due = (name: keyof typeof events) => step(inState('running'), events[name]).dueAt
  assert.equal(due('caught-up'), at + 60_000)
  assert.equal(due('more'), at)
  assert.equal(due('rebuild'), at)
  assert.equal(due('blocked'), undefined)
  assert.equal(due('failed'), at + 5_000)
  assert.equal(due('failed for good'), undefined)
})

test('a second rebuild within ten minutes is blocked, one after that is not', () => {
  const first = step(inState('running'), events.rebuild)
  const again = (later: number) => step({ ...first, state: 'running' }, { ...events.rebuild, at: at + later })
  assert.equal(again(rebuildWindowMs - 1).state, 'blocked')
  assert.match(again(0).reason ?? '', /start over twice within ten minutes: pruned/)
  assert.equal(again(rebuildWindowMs).state, 'idle')
})

test('E-53 P-75 failures count up until an attempt catches up or was live for long enough; being live is not enough', () => {
  let run = inState('running')
  for (let n = 1; n <= 3; n++) {
    run = step(run, events.failed)
    assert.equal(run.failures, n)
    run = step(run, events.start)
  }
  assert.equal(step(run, events['caught-up']).failures, 0)
  const live = step(run, events.live)
  assert.deepEqual([live.failures, live.caughtUpAt, live.liveSince, live.fault], [3, at, at, undefined])
  assert.equal(step(live, events.failed).failures, 4)
  assert.equal(step(live, { ...events.failed, stable: true }).failures, 1)
  assert.equal(step(step(live, events.failed), events.start).liveSince, undefined)
})

test('no sequence of events leaves a blocked or waiting link without a reason, or a running one with a due time', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...(Object.values(events) as RunEvent[]))), (sequence) => {
      const run = sequence.reduce(step, initialRun)
      if (run.state === 'blocked' || run.state === 'waiting') assert.ok(run.reason)
      if (run.state === 'waiting') assert.notEqual(run.dueAt, undefined)
      if (run.state === 'running' || run.state === 'paused') assert.equal(run.dueAt, undefined)
    }),
  )
})

test('what an attempt counted is counted once, however it ends', () => {
  const counting = (received: number): RunEvent => ({
    kind: 'progress',
    at,
    progress: { phase: 'transferring', done: 0, counters: { received } },
  })
  for (const end of ['caught-up', 'more', 'failed', 'cancelled', 'pause'] as const) {
    const running = [events.start, counting(2), counting(5)].reduce(step, initialRun)
    assert.deepEqual(totals(running), { received: 5 })
    const ended = step(running, events[end])
    assert.deepEqual(totals(ended), { received: 5 }, end)
    assert.deepEqual(totals(step(ended, events[end])), { received: 5 })
  }
})
