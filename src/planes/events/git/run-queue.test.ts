import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunQueue } from './run-queue.ts'

test('what stays incomplete is tried again after 20 s, 40 s, 80 s and then every 120 s', () => {
  const queue = new RunQueue()
  queue.add('a', 0, 500)
  const waits: number[] = []
  let now = 500
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(queue.take(now), ['a'])
    queue.finish('a', false, now)
    waits.push(queue.nextAt! - now)
    now = queue.nextAt!
  }
  assert.deepEqual(waits, [20_000, 40_000, 80_000, 120_000, 120_000])
})

test('a new reason only makes it sooner, and each runs once at a time', () => {
  const queue = new RunQueue()
  queue.add('a', 0, 180_000)
  queue.add('a', 0, 500)
  queue.add('a', 0, 180_000)
  assert.equal(queue.nextAt, 500)
  assert.deepEqual(queue.take(500), ['a'])
  assert.deepEqual(queue.take(1e9), [])
})

test('what was asked for while it ran is looked at again, however the run ended', () => {
  const queue = new RunQueue()
  queue.add('a', 0, 0)
  queue.take(0)
  queue.add('a', 10, 500)
  queue.finish('a', true, 20)
  assert.equal(queue.nextAt, 510)
  queue.take(510)
  queue.finish('a', true, 520)
  assert.deepEqual([queue.nextAt, queue.size], [undefined, 0])
})

test('what may not be visible yet is looked at once more although nothing was missing', () => {
  const queue = new RunQueue()
  queue.add('a', 0, 0, true)
  queue.take(0)
  queue.finish('a', true, 0)
  assert.equal(queue.nextAt, 20_000)
  queue.take(20_000)
  queue.finish('a', true, 20_000)
  assert.equal(queue.size, 0)
})

test('a full queue leaves newcomers out and counts them', () => {
  const queue = new RunQueue({ maxEntries: 1, initialMs: 1, maxMs: 1 })
  queue.add('a', 0, 0)
  queue.add('b', 0, 0)
  assert.deepEqual([queue.size, queue.refused], [1, 1])
})
