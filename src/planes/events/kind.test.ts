import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isProtected, type KindClass, kindClass } from './kind.ts'

const classes: Readonly<Record<KindClass, readonly number[]>> = {
  regular: [1, 2, 4, 44, 45, 62, 999, 1_000, 9_999, 40_000, 65_535],
  replaceable: [0, 3, 10_000, 19_999],
  ephemeral: [20_000, 29_999],
  addressable: [30_000, 39_999],
}

for (const [name, kinds] of Object.entries(classes))
  it(`kinds ${kinds.join(', ')} are ${name}`, () => {
    for (const kind of kinds) assert.equal(kindClass(kind), name)
  })

it('an event is protected by a tag named - and by nothing else', () => {
  assert.equal(isProtected({ tags: [['e', 'x'], ['-']] }), true)
  assert.equal(isProtected({ tags: [['-', 'whatever']] }), true)
  assert.equal(isProtected({ tags: [['t', '-']] }), false)
  assert.equal(isProtected({ tags: [] }), false)
})
