import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Turns } from './turns.ts'

describe('turns', () => {
  it('K9 lets others have the event loop after 5 ms of work, and goes on in order', async () => {
    let now = 0
    const turns = new Turns({ monotonic: () => now })
    const done: number[] = []
    const workers = Array.from({ length: 7 }, async (_, worker) => {
      const turn = turns.take()
      if (turn !== undefined) await turn
      now += 3
      done.push(worker)
    })
    const perTurn: number[] = []
    while (done.length < workers.length) {
      await nextTurn()
      perTurn.push(done.length)
    }
    await Promise.all(workers)
    assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6])
    assert.ok(perTurn.length >= 3, `all within ${perTurn.length} turns`)
    for (const [turn, total] of perTurn.entries())
      assert.ok(total - (perTurn[turn - 1] ?? 0) <= 4, String(perTurn))
  })

  it('makes nobody wait while there is little to do', async () => {
    let now = 0
    const turns = new Turns({ monotonic: () => now })
    for (let at = 0; at < 20; at++) {
      assert.equal(turns.take(), undefined)
      now += 4
      await nextTurn()
    }
  })
})
