import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { LogFields } from '../kernel/logger.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { createLogger, type LoggerOptions } from './logger.ts'

function capture(options: Omit<LoggerOptions, 'output'> = {}) {
  const lines: string[] = []
  const log = createLogger({ level: 'debug', ...options, output: { write: (line) => lines.push(line) } })
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

const secretKey = `nsec1${'q'.repeat(58)}`

describe('logger', () => {
  it('writes one JSON object per line with level, time, message and fields', () => {
    const { log, lines, parsed } = capture()
    log.child({ peer: 'wss://a/' }).warn('an attempt failed', { attempt: 3 })
    assert.equal(lines.length, 1)
    assert.ok(lines[0]!.endsWith('}\n'))
    const { time, ...rest } = parsed()[0]!
    assert.deepEqual(rest, { level: 'warn', peer: 'wss://a/', attempt: 3, message: 'an attempt failed' })
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('writes nothing below its level', () => {
    const { log, lines } = capture({ level: 'warn' })
    log.debug('a')
    log.info('b')
    log.child({ peer: 'x' }).info('c')
    log.error('d')
    assert.equal(lines.length, 1)
  })

  for (const key of [
    'secret',
    'token',
    'authorization',
    'Authorization',
    'sec',
    'nsec',
    'password',
    'secretKey',
    'access_token',
  ])
    it(`redacts a field named ${key}, at any depth`, () => {
      const { log, lines, parsed } = capture()
      log.info('x', { [key]: 'hunter2', deep: { list: [{ [key]: 'hunter2' }] } })
      log.child({ [key]: 'hunter2' }).info('y')
      assert.equal(lines.join('').includes('hunter2'), false)
      assert.equal(parsed()[0]![key], '[redacted]')
    })

  it('keeps fields that only look alike', () => {
    const { log, parsed } = capture()
    log.info('x', { timeoutSec: 3, section: 'a', tokens: 2 })
    const { timeoutSec, section, tokens } = parsed()[0]!
    assert.deepEqual({ timeoutSec, section, tokens }, { timeoutSec: 3, section: 'a', tokens: 2 })
  })

  it('redacts a secret key in its own notation wherever it stands', () => {
    const { log, lines } = capture()
    log.info(`key ${secretKey}`, { note: `here: ${secretKey}`, error: new Error(secretKey) })
    assert.equal(lines.join('').includes(secretKey), false)
  })

  it('shows an error with its code and cause', () => {
    const { log, parsed } = capture()
    log.error('x', { error: new SyncError('peer/busy', 'too many', { cause: new Error('HTTP 429') }) })
    const error = parsed()[0]!.error as Record<string, Record<string, unknown>>
    assert.equal(error.code, 'peer/busy')
    assert.equal(error.message, 'too many')
    assert.equal(error.cause!.message, 'HTTP 429')
  })

  it('takes cycles, big integers, bytes and functions without failing', () => {
    const { log, parsed } = capture()
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    log.info('x', {
      cycle,
      big: 10n ** 30n,
      bytes: new Uint8Array(5),
      call: () => 1,
      none: undefined,
      at: new Date(Number.NaN),
    })
    const { big, bytes, call, at } = parsed()[0]!
    assert.deepEqual(
      { big, bytes, call, at },
      { big: `1${'0'.repeat(30)}`, bytes: '[5 bytes]', call: '[function]', at: '[no date]' },
    )
  })

  it('does not let a field pass for the level, time or message of its line', () => {
    const { log, lines, parsed } = capture()
    log.info('true', { level: 'error', time: 'never', message: 'forged' })
    assert.equal(parsed()[0]!.message, 'true')
    assert.equal(parsed()[0]!.level, 'info')
    assert.equal(lines[0]!.split('"message"').length, 2)
  })

  it('bounds a line whatever is logged (T-LOG-1)', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 20 }),
        fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true })),
        (message, fields: LogFields) => {
          const { log, lines } = capture()
          log.info(message, fields)
          assert.equal(lines.length, 1)
          JSON.parse(lines[0]!)
        },
      ),
      { numRuns: 200 },
    )
    const { log, lines } = capture()
    const megabyte = 'x'.repeat(1_000_000)
    log.warn('rejected', { event: megabyte, nested: { tags: Array(10_000).fill(['t', megabyte]) } })
    log.warn(megabyte)
    assert.ok(
      lines.every((line) => line.length < 8_000),
      lines.map((line) => line.length).join(),
    )
    const wide = Object.fromEntries([...Array(10_000).keys()].map((i) => [`key${i}`, megabyte]))
    log.warn('wide', wide)
    assert.ok(lines[2]!.length < 100_000, String(lines[2]!.length))
  })

  it('has a format for people: one line, no control characters', () => {
    const { log, lines } = capture({ format: 'human' })
    log.warn('an attempt\nfailed\u001b[31m', { peer: 'wss://a/', reason: 'no "answer"\r\n', '\u001bkey': 1 })
    assert.equal(lines.length, 1)
    assert.match(
      lines[0]!,
      /^\d\d:\d\d:\d\d WARN {2}an attempt�failed�\[31m {2}peer=wss:\/\/a\/ {2}reason="no \\"answer\\"\\r\\n" {2}�key=1\n$/,
    )
  })
})
