import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock, settle } from '../../test/helpers/fake-clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { createLogger } from '../telemetry/logger.ts'
import { LocalScheduler } from './local.ts'
import { parseSchedule } from './schedule.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

function setup(options: { random?: () => number; start?: number } = {}) {
  const clock = new FakeClock(options.start ?? Date.UTC(2026, 0, 1))
  const lines: string[] = []
  const log: Logger = createLogger({ output: { write: (line) => lines.push(line) } })
  const scheduler = new LocalScheduler({ clock, random: options.random ?? (() => 0.5), log })
  return { clock, lines, scheduler, [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose]() }
}

describe('local scheduler', () => {
  it('runs an interval at a fixed rate, the first time after one interval', async () => {
    await using world = setup()
    const runs: number[] = []
    world.scheduler.add({
      name: 'a',
      schedule: parseSchedule('5m'),
      run: () => void runs.push(world.clock.monotonic()),
    })
    await world.clock.advance(5 * minute - 1)
    assert.deepEqual(runs, [])
    await world.clock.advance(10 * minute + 1)
    assert.deepEqual(runs, [5 * minute, 10 * minute, 15 * minute])
  })

  it('moves each tick of an interval by at most a tenth, and never drifts', async () => {
    let random = 0
    await using world = setup({ random: () => random })
    const runs: number[] = []
    world.scheduler.add({
      name: 'a',
      schedule: parseSchedule('10m'),
      run: () => {
        runs.push(world.clock.monotonic() / minute)
        random = random === 0 ? 0.999_999_999 : 0
      },
    })
    await world.clock.advance(45 * minute)
    assert.deepEqual(
      runs.map((run) => Math.round(run * 1000) / 1000),
      [9, 21, 29, 41],
    )
  })

  it('E-105 never runs two instances of an entry at once, and collapses missed ticks into one', async () => {
    await using world = setup()
    let running = 0
    const starts: number[] = []
    world.scheduler.add({
      name: 'slow',
      schedule: parseSchedule('1m'),
      run: async (signal) => {
        running += 1
        assert.equal(running, 1)
        starts.push(world.clock.monotonic() / minute)
        if (starts.length === 1) await world.clock.sleep(3.5 * minute, signal)
        running -= 1
      },
    })
    await world.clock.advance(6 * minute)
    assert.deepEqual(starts, [1, 4.5, 5, 6])
  })

  it('E-105 collapses missed ticks of a cron entry into one', async () => {
    await using world = setup()
    const starts: number[] = []
    world.scheduler.add({
      name: 'slow',
      schedule: parseSchedule('* * * * *'),
      run: async (signal) => {
        starts.push(world.clock.monotonic() / minute)
        if (starts.length === 1) await world.clock.sleep(3.5 * minute, signal)
      },
    })
    await world.clock.advance(6 * minute)
    assert.deepEqual(starts, [1, 4.5, 5, 6])
  })

  it('E-105 runs a daily entry once per day, in UTC', async () => {
    await using world = setup({ start: Date.UTC(2026, 0, 1, 2, 59, 30) })
    const runs: string[] = []
    world.scheduler.add({
      name: 'full',
      schedule: parseSchedule('03:00'),
      run: () => void runs.push(new Date(world.clock.now()).toISOString()),
    })
    await world.clock.advance(3 * day)
    assert.deepEqual(runs, [
      '2026-01-01T03:00:00.000Z',
      '2026-01-02T03:00:00.000Z',
      '2026-01-03T03:00:00.000Z',
    ])
  })

  it('does not run a daily entry twice when the clock is set back (K13)', async () => {
    await using world = setup({ start: Date.UTC(2026, 0, 1, 2, 59, 30) })
    let runs = 0
    world.scheduler.add({ name: 'full', schedule: parseSchedule('03:00'), run: () => void runs++ })
    await world.clock.advance(minute)
    assert.equal(runs, 1)
    world.clock.jump(-hour)
    await world.clock.advance(2 * hour)
    assert.equal(runs, 1)
    await world.clock.advance(day)
    assert.equal(runs, 2)
  })

  it('goes on when the clock is set back by years (K13)', async () => {
    await using world = setup()
    let runs = 0
    world.scheduler.add({ name: 'full', schedule: parseSchedule('03:00'), run: () => void runs++ })
    await world.clock.advance(day)
    world.clock.jump(-400 * day)
    await world.clock.advance(3 * day)
    assert.ok(runs >= 2, `ran ${runs} times`)
  })

  it('notices within a minute that the machine slept over a cron tick, and runs it once', async () => {
    await using world = setup()
    let runs = 0
    world.scheduler.add({
      name: 'hourly',
      schedule: parseSchedule('12 * * * *'),
      run: () => void runs++,
    })
    await world.clock.advance(minute)
    world.clock.jump(5 * hour)
    await world.clock.advance(minute)
    assert.equal(runs, 1)
  })

  it('reports an error and runs again at the next tick', async () => {
    await using world = setup()
    let runs = 0
    world.scheduler.add({
      name: 'flaky',
      schedule: parseSchedule('1m'),
      run: () => {
        runs += 1
        throw new Error('no disk')
      },
    })
    await world.clock.advance(2 * minute)
    assert.equal(runs, 2)
    assert.equal(world.lines.length, 2)
    assert.match(world.lines[0]!, /"job":"flaky".*no disk/)
  })

  it('one failing or slow entry does not hold up another', async () => {
    await using world = setup()
    let runs = 0
    world.scheduler.add({
      name: 'stuck',
      schedule: parseSchedule('1m'),
      run: (signal) => world.clock.sleep(day, signal),
    })
    world.scheduler.add({ name: 'fine', schedule: parseSchedule('1m'), run: () => void runs++ })
    await world.clock.advance(5 * minute)
    assert.equal(runs, 5)
  })

  it('says so when an entry is never due again', async () => {
    await using world = setup()
    world.scheduler.add({
      name: 'never',
      schedule: parseSchedule('0 0 31 2 *'),
      run: () => assert.fail('ran'),
    })
    await settle()
    assert.match(world.lines.join(''), /never due again/)
  })

  it('refuses two entries of one name', async () => {
    await using world = setup()
    const entry = { name: 'a', schedule: parseSchedule('1m'), run: () => {} }
    world.scheduler.add(entry)
    assert.throws(() => world.scheduler.add(entry), /two recurring jobs named "a"/)
  })

  it('stops by aborting what runs, waits for it, and leaves no timer', async () => {
    const world = setup()
    let ended = false
    world.scheduler.add({
      name: 'a',
      schedule: parseSchedule('1m'),
      run: async (signal) => {
        await world.clock.sleep(day, signal).catch(() => {})
        await settle()
        ended = true
      },
    })
    world.scheduler.add({ name: 'b', schedule: parseSchedule('03:00'), run: () => {} })
    await world.clock.advance(minute)
    await world.scheduler[Symbol.asyncDispose]()
    assert.equal(ended, true)
    assert.equal(world.clock.sleeping, 0)
    assert.deepEqual(world.lines, [])
    await world.scheduler[Symbol.asyncDispose]()
  })

  it('does not wait for ever for a job that ignores its signal', async () => {
    const world = setup()
    const { promise, resolve } = Promise.withResolvers<void>()
    world.scheduler.add({ name: 'deaf', schedule: parseSchedule('1m'), run: () => promise })
    await world.clock.advance(minute)
    const stopped = world.scheduler[Symbol.asyncDispose]()
    await world.clock.advance(5_000)
    await stopped
    assert.match(world.lines.join(''), /did not stop within its grace period/)
    resolve()
  })
})
