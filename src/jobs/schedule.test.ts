import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SyncError } from '../kernel/sync-error.ts'
import { nextRun, parseSchedule } from './schedule.ts'

const at = (text: string) => new Date(`${text}Z`)

describe('schedule', () => {
  const due: readonly [string, string, string][] = [
    ['30s', '2026-01-01T00:00:00', '2026-01-01T00:00:30'],
    ['5m', '2026-01-01T00:00:00', '2026-01-01T00:05:00'],
    ['2h', '2026-01-01T23:00:00', '2026-01-02T01:00:00'],
    ['1d', '2026-02-28T12:00:00', '2026-03-01T12:00:00'],
    ['03:00', '2026-01-01T02:59:59', '2026-01-01T03:00:00'],
    ['03:00', '2026-01-01T03:00:00', '2026-01-02T03:00:00'],
    ['12 * * * *', '2026-01-01T00:00:00', '2026-01-01T00:12:00'],
    ['0 0 29 2 *', '2026-01-01T00:00:00', '2028-02-29T00:00:00'],
    ['*/15 9-17 * * 1-5', '2026-01-02T17:45:00', '2026-01-05T09:00:00'],
  ]
  for (const [text, after, expected] of due)
    it(`${text} is due at ${expected} after ${after}, in UTC`, () => {
      assert.deepEqual(nextRun(parseSchedule(text), at(after)), at(expected))
    })

  // A machine's own time zone must not move a daily job: 02:30 does not exist on this day in Berlin.
  it('ignores the time zone of the machine', () => {
    const before = process.env.TZ
    process.env.TZ = 'Europe/Berlin'
    try {
      assert.deepEqual(
        nextRun(parseSchedule('30 2 * * *'), at('2026-03-29T00:00:00')),
        at('2026-03-29T02:30:00'),
      )
    } finally {
      if (before === undefined) delete process.env.TZ
      else process.env.TZ = before
    }
  })

  it('is never due again when no such day exists', () => {
    assert.equal(nextRun(parseSchedule('0 0 31 2 *'), at('2026-01-01T00:00:00')), undefined)
  })

  for (const text of [
    '',
    '5',
    '0s',
    '5 m',
    '-5m',
    '5min',
    '400d',
    '25:00',
    '* * * *',
    '* * * * * *',
    '61 * * * *',
    '2026-01-01T00:00:00',
    'soon',
  ])
    it(`refuses "${text}" and says what is allowed`, () => {
      assert.throws(
        () => parseSchedule(text),
        (error) =>
          error instanceof SyncError &&
          error.code === 'config/invalid' &&
          /five cron fields/.test(error.message),
      )
    })

  it('reads any text or refuses it with config/invalid', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d*/, -]{1,20}$/)), (text) => {
        try {
          const next = nextRun(parseSchedule(text), at('2026-01-01T00:00:00'))
          assert.ok(next === undefined || next > at('2026-01-01T00:00:00'))
        } catch (error) {
          if (!(error instanceof SyncError)) throw error
        }
      }),
      { numRuns: 300 },
    )
  })
})
