import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, settle } from '../../../../test/helpers/fake-clock.ts'
import { HostThrottle } from './host-throttle.ts'

const signal = new AbortController().signal

/** Asks for turns that are given back at once or kept, and says which came. */
function asker(throttle: HostThrottle) {
  const turns: string[] = []
  const held: Disposable[] = []
  const ask = (host: string, who: string) =>
    throttle.take(host, signal).then((turn) => {
      turns.push(who)
      held.push(turn)
    })
  return { turns, held, ask }
}

test('P-96 at most five requests at one host at the same time; other hosts are not affected', async () => {
  using throttle = new HostThrottle(new FakeClock())
  const { turns, held, ask } = asker(throttle)
  for (let i = 0; i < 8; i++) void ask('slow.org', `slow ${i}`)
  void ask('other.org', 'other')
  await settle()
  assert.deepEqual(turns, ['slow 0', 'slow 1', 'slow 2', 'slow 3', 'slow 4', 'other'])
  assert.deepEqual(throttle.status, { inFlight: 6, waiting: 3, naughty: 0 })
  held[0]![Symbol.dispose]()
  await settle()
  assert.equal(turns.at(-1), 'slow 5')
})

test('P-96 at most sixty requests a minute, and the end of the minute wakes who waits', async () => {
  const clock = new FakeClock()
  using throttle = new HostThrottle(clock)
  for (let i = 0; i < 60; i++) (await throttle.take('host.org', signal))[Symbol.dispose]()
  const { turns, ask } = asker(throttle)
  void ask('host.org', 'late')
  void ask('other.org', 'other')
  await clock.advance(59_999)
  assert.deepEqual(turns, ['other'])
  await clock.advance(1)
  assert.deepEqual(turns, ['other', 'late'])
})

test('P-98 with k repositories at one host none waits for more than k - 1 turns', async () => {
  const bounds = { maxInFlight: 1, maxPerWindow: 1_000, windowMs: 60_000, naughtyMs: 1 }
  using throttle = new HostThrottle(new FakeClock(), bounds)
  const turns: string[] = []
  const work = async (name: string) => {
    for (let i = 0; i < 4; i++) {
      using _turn = await throttle.take('host.org', signal)
      turns.push(name)
      await settle()
    }
  }
  await Promise.all(['a', 'b', 'c'].map(work))
  assert.equal(turns.join(''), 'abcabcabcabc')
})

test('P-96 who stops waiting takes no turn', async () => {
  const bounds = { maxInFlight: 1, maxPerWindow: 1_000, windowMs: 60_000, naughtyMs: 1 }
  using throttle = new HostThrottle(new FakeClock(), bounds)
  const first = await throttle.take('host.org', signal)
  const impatient = new AbortController()
  const gone = throttle.take('host.org', impatient.signal)
  const { turns, ask } = asker(throttle)
  void ask('host.org', 'patient')
  impatient.abort(new Error('enough'))
  await assert.rejects(gone, /enough/)
  first[Symbol.dispose]()
  await settle()
  assert.deepEqual(turns, ['patient'])
})

test('P-77 a host is left alone for twelve hours from its first offence, not from its last', async () => {
  const clock = new FakeClock()
  using throttle = new HostThrottle(clock)
  assert.equal(throttle.blame('bad.org'), true)
  await clock.advance(6 * 3_600_000)
  assert.equal(throttle.blame('bad.org'), false)
  assert.deepEqual([throttle.isNaughty('bad.org'), throttle.isNaughty('good.org')], [true, false])
  await clock.advance(6 * 3_600_000)
  assert.equal(throttle.isNaughty('bad.org'), false)
})
