import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Interval } from './coverage.ts'
import { WindowQueue } from './window-queue.ts'

test('windows go from the newest second to the oldest, and grow after three that were cheap', () => {
  const queue = new WindowQueue([[0, 999]], { first: 10, least: 1 })
  const taken: Interval[] = []
  for (let window = queue.next(); window !== undefined; window = queue.next()) {
    taken.push(window)
    queue.succeeded('cheap')
  }
  assert.deepEqual(taken.slice(0, 4), [
    [990, 999],
    [980, 989],
    [970, 979],
    [950, 969],
  ])
  assert.equal(taken.at(-1)?.[0], 0)
})

test('windows in which nothing differs grow at once, so that all of time is a handful of them', () => {
  const week = 7 * 86_400
  const queue = new WindowQueue([[0, 1_800_000_000]], { first: week, least: 60 })
  const sizes: number[] = []
  for (let window = queue.next(); window !== undefined; window = queue.next()) {
    sizes.push(window[1] - window[0] + 1)
    queue.succeeded('same')
  }
  assert.deepEqual(sizes.slice(0, 3), [week, 8 * week, 64 * week])
  assert.equal(sizes.length, 5)
})

test('E-120 a window that is refused comes again in halves, and not below the least size', () => {
  const queue = new WindowQueue([[0, 99]], { first: 100, least: 30 })
  const whole = queue.next()!
  assert.ok(queue.refused(whole))
  const half = queue.next()!
  assert.deepEqual(half, [50, 99])
  assert.ok(queue.refused(half))
  const least = queue.next()!
  assert.deepEqual(least, [70, 99])
  assert.ok(!queue.refused(least), 'it is left to another way of looking')
  assert.deepEqual(queue.next(), [40, 69])
})

test('what another way of looking takes over is one range again', () => {
  const queue = new WindowQueue([[0, 99]], { first: 10, least: 1 })
  queue.again(queue.next()!)
  assert.deepEqual(queue.rest(), [0, 99])
  const chunked = new WindowQueue([[0, 99]], { first: 10, least: 1 })
  assert.deepEqual(
    [chunked.rest(40), chunked.rest(40), chunked.rest(40)],
    [
      [60, 99],
      [20, 59],
      [0, 19],
    ],
  )
})

test('whatever is refused or cheap, every second is looked at exactly once', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('same', 'cheap', 'dear', 'refused'), { minLength: 1 }), (course) => {
      const queue = new WindowQueue(
        [
          [200, 299],
          [0, 150],
        ],
        { first: 16, least: 3 },
      )
      const seen: number[] = []
      let step = 0
      for (let window = queue.next(); window !== undefined; window = queue.next()) {
        const what = course[step++ % course.length]
        if (what === 'refused' && step < 200 && queue.refused(window)) continue
        for (let second = window[0]; second <= window[1]; second++) seen.push(second)
        queue.succeeded(what === 'refused' ? 'dear' : what!)
      }
      const wanted = [
        ...Array.from({ length: 100 }, (_, i) => 299 - i),
        ...Array.from({ length: 151 }, (_, i) => 150 - i),
      ]
      assert.deepEqual(
        seen.sort((a, b) => b - a),
        wanted,
      )
    }),
  )
})
