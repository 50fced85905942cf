import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Chunk, type ChunkPlan, planChunks } from './chunk-plan.ts'

const options = { chunkSize: 3, chunkBytes: 10_000, maxChunks: 100 }
const want = (layers: Record<string, string[]>) =>
  new Map(Object.entries(layers).map(([layer, values]) => [layer, new Set(values)]))
const chunk = (layer: string, ...values: string[]): Chunk => ({ layer, values })
const values = (chunks: readonly Chunk[]) => chunks.map((each) => each.values.join(''))

/** What is held once a plan was carried out. */
function after(held: readonly Chunk[], plan: ChunkPlan): Chunk[] {
  const rest = held.filter((each) => !plan.drop.includes(each))
  return [...rest, ...plan.add.map(({ layer, values: of }) => ({ layer, values: of }))]
}

test('P-24 P-25 only what is neither asked nor being asked is added, in chunks of its own', () => {
  const held = [chunk('a', '1', '2')]
  const plan = planChunks(want({ a: ['1', '2', '3', '4', '5', '6'], b: ['x'] }), held, options)
  assert.deepEqual(values(plan.add), ['345', '6', 'x'])
  assert.deepEqual(plan.drop, [])
  assert.ok(plan.add.every(({ from }) => from.length === 0))
})

test('P-17 what is no longer wanted leaves its chunk, which keeps what it had; an empty one is dropped', () => {
  const held = [chunk('a', '1', '2', '3'), chunk('a', '4'), chunk('gone', 'x')]
  const plan = planChunks(want({ a: ['1', '3'] }), held, options)
  assert.deepEqual(plan.add, [{ layer: 'a', values: ['1', '3'], from: [held[0]] }])
  assert.deepEqual(plan.drop, held)
})

test('beyond the budget small chunks are merged; the whole is known as far as all of its parts are', () => {
  const held = [chunk('a', '1'), chunk('a', '2'), chunk('a', '3'), chunk('a', '4', '5', '6')]
  const wanted = want({ a: ['1', '2', '3', '4', '5', '6'] })
  assert.deepEqual(planChunks(wanted, held, { ...options, maxChunks: 4 }), { add: [], drop: [] })
  const plan = planChunks(wanted, held, { ...options, maxChunks: 3 })
  assert.deepEqual(plan.add, [{ layer: 'a', values: ['1', '2', '3'], from: held.slice(0, 3) }])
  assert.deepEqual(plan.drop, held.slice(0, 3))
  const fresh = planChunks(want({ a: ['1', '9'] }), [chunk('a', '1')], { ...options, maxChunks: 1 })
  assert.deepEqual(fresh.add, [{ layer: 'a', values: ['1', '9'], from: [] }])
})

const letters = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmnop'), { maxLength: 16 })
const wants = fc.record({ one: letters, two: letters }).map(want)
const sizes = fc.record({
  chunkSize: fc.integer({ min: 1, max: 6 }),
  chunkBytes: fc.integer({ min: 4, max: 30 }),
  maxChunks: fc.integer({ min: 1, max: 12 }),
})

test('P-26 P-27 P-28 P-29 P-38 carried out, a plan leaves exactly what is wanted, no value twice, and nothing more to do', () => {
  fc.assert(
    fc.property(fc.array(wants, { minLength: 1, maxLength: 6 }), sizes, (history, each) => {
      let held: Chunk[] = []
      for (const wanted of history) {
        const before = structuredClone(held)
        const plan = planChunks(wanted, held, each)
        assert.deepEqual(held, before, 'pure')
        assert.deepEqual(planChunks(wanted, held, each), plan, 'deterministic')
        held = after(held, plan)
        for (const [layer, asked] of wanted) {
          const covered = held.filter((one) => one.layer === layer).flatMap((one) => one.values)
          assert.deepEqual(covered.toSorted(), [...asked].sort())
        }
        assert.ok(held.every((one) => one.values.length > 0 && one.values.length <= each.chunkSize))
        assert.ok(
          held.every((one) => JSON.stringify(one.values).length - 1 <= each.chunkBytes),
          'P-38',
        )
        assert.deepEqual(planChunks(wanted, held, each), { add: [], drop: [] }, 'a fixpoint')
      }
    }),
  )
})

test('what a chunk claims to know was asked for every one of its values', () => {
  fc.assert(
    fc.property(wants, wants, sizes, (first, second, each) => {
      const held = after([], planChunks(first, [], each))
      for (const { layer, values: of, from } of planChunks(second, held, each).add)
        if (from.length > 0)
          for (const value of of)
            assert.ok(from.some((old) => old.layer === layer && old.values.includes(value)))
    }),
  )
})

test('P-38 a chunk that is too long for what a relay tells later is cut in parts, which keep what it had', () => {
  const values = Array.from({ length: 10 }, (_, i) => `value ${i}`)
  const chunk = { layer: 'l', values }
  const plan = planChunks(new Map([['l', new Set(values)]]), [chunk], {
    chunkSize: 100,
    chunkBytes: 40,
    maxChunks: 100,
  })
  assert.deepEqual(plan.drop, [chunk])
  assert.deepEqual(
    plan.add.flatMap((part) => part.values),
    values,
  )
  assert.ok(plan.add.length > 1 && plan.add.every(({ from }) => from.length === 1 && from[0] === chunk))
})
