import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { orderTables } from './table-order.ts'

const refs = (...pairs: readonly [string, string][]) => pairs.map(([child, parent]) => ({ child, parent }))

describe('table order', () => {
  it('R-6 parents come before children, cycles stay together, ties go by name', () => {
    const { tableOrder, cycles, cycleGroup, dependencies, orderIndex } = orderTables(
      ['s.z', 's.a', 's.b', 's.c', 's.d'],
      refs(['s.a', 's.z'], ['s.b', 's.c'], ['s.c', 's.b'], ['s.b', 's.a'], ['s.d', 's.d']),
    )
    assert.deepEqual(tableOrder, ['s.d', 's.z', 's.a', 's.b', 's.c'])
    assert.deepEqual([...cycles], [[0, ['s.b', 's.c']]])
    assert.equal(cycleGroup.get('s.c'), 0)
    assert.equal(cycleGroup.has('s.d'), false)
    assert.deepEqual(dependencies.get('s.b'), ['s.a', 's.c'])
    assert.equal(orderIndex.get('s.a'), 2)
  })

  it('R-6 overrides change the order only; those that name nothing are ignored', () => {
    const tables = ['public.a', 'public.b', 's.c']
    const plain = orderTables(tables, [])
    assert.deepEqual(plain.tableOrder, tables)
    const { tableOrder } = orderTables(tables, [], { a: ['S.C', 'a', 'nowhere'], 'x.y.z': ['b'], '': ['b'] })
    assert.deepEqual(tableOrder, ['public.b', 's.c', 'public.a'])
  })

  it('R-6 every table appears once, and after all it depends on that do not depend on it', () => {
    const name = fc.integer({ min: 0, max: 7 }).map((n) => `s.t${n}`)
    fc.assert(
      fc.property(fc.array(fc.record({ child: name, parent: name }), { maxLength: 20 }), (references) => {
        const tables = Array.from({ length: 8 }, (_, n) => `s.t${n}`)
        const { tableOrder, cycleGroup, orderIndex } = orderTables(tables, references)
        assert.deepEqual([...tableOrder].sort(), tables)
        for (const { child, parent } of references) {
          const together = cycleGroup.has(child) && cycleGroup.get(child) === cycleGroup.get(parent)
          if (child !== parent && !together) assert.ok(orderIndex.get(parent)! < orderIndex.get(child)!)
        }
        assert.deepEqual(orderTables(tables.toReversed(), references.toReversed()).tableOrder, tableOrder)
      }),
    )
  })
})
