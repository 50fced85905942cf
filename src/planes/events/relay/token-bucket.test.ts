import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { TokenBucket } from './token-bucket.ts'

describe('token bucket', () => {
  it('gives one burst at once, then the rate', async () => {
    const clock = new FakeClock()
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, clock)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => bucket.tryTake()),
      [true, true, true, false],
    )
    await clock.advance(500)
    assert.equal(bucket.tryTake(), true)
    assert.equal(bucket.tryTake(), false)
  })

  it('tells how long a debt lasts, and never makes it longer than one burst', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, new FakeClock())
    assert.equal(bucket.take(5), 0)
    assert.equal(bucket.take(1), 100)
    assert.equal(bucket.take(1_000), 500)
  })

  it('K13 is neither filled nor emptied by a jump of the wall clock', () => {
    const clock = new FakeClock()
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock)
    bucket.take()
    clock.jump(3_600_000)
    assert.equal(bucket.tryTake(), false)
    clock.jump(-7_200_000)
    assert.equal(bucket.take(), 1_000)
  })

  it('lets nobody exceed burst plus rate in any stretch of time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(400), { maxLength: 40 }), async (gaps) => {
        const clock = new FakeClock()
        const bucket = new TokenBucket({ perSecond: 5, burst: 4 }, clock)
        let taken = 0
        for (const gap of gaps) {
          await clock.advance(gap)
          if (bucket.tryTake()) taken += 1
        }
        assert.ok(taken <= 4 + (clock.monotonic() / 1_000) * 5)
      }),
      { numRuns: 30 },
    )
  })
})
