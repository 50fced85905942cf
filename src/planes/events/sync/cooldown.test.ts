import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { Cooldown } from './cooldown.ts'

test('P-73 a NOTICE in any of the words in use, and in any case, is a rest of 65 s; another one is none', async () => {
  const clock = new FakeClock()
  const words = [
    'Rate Limited',
    'limit of the RATE reached',
    'Too Many requests',
    'please SLOW DOWN',
    'Throttled',
  ]
  for (const notice of words) {
    const cooldown = new Cooldown(clock)
    assert.ok(cooldown.heard(notice), notice)
    await clock.advance(64_999)
    assert.equal(cooldown.isOver, false)
    await clock.advance(1)
    assert.equal(cooldown.isOver, true)
  }
  for (const notice of ['hello', 'a separate matter', 'limit: 500', 'ERROR: bad msg']) {
    const cooldown = new Cooldown(clock)
    assert.equal(cooldown.heard(notice), false, notice)
    assert.equal(cooldown.isOver, true)
  }
})

test('P-73 another notice begins the rest anew, and who waits says so and waits it out', async () => {
  const clock = new FakeClock()
  const cooldown = new Cooldown(clock)
  cooldown.heard('slow down')
  let [signs, passed] = [0, false]
  const waiting = cooldown
    .pass(new AbortController().signal, () => signs++)
    .then(() => {
      passed = true
    })
  await clock.advance(60_000)
  cooldown.heard('slow down')
  await clock.advance(64_999)
  assert.equal(passed, false)
  assert.ok(signs >= 4)
  await clock.advance(1)
  await waiting
})
