import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planRefs } from './ref-plan.ts'

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string]
const types = new Map([
  [a, 'commit'],
  [b, 'blob'],
])

test('P-93 what a state does not name is removed, what it names is put, what is right already is left', () => {
  const state = {
    refs: new Map([
      ['refs/heads/main', a],
      ['refs/tags/v1', b],
    ]),
    head: 'refs/heads/main',
  }
  const current = new Map([
    ['refs/heads/main', a],
    ['refs/heads/old', a],
  ])
  assert.deepEqual(planRefs(state, current, types), {
    remove: ['refs/heads/old'],
    put: new Map([['refs/tags/v1', b]]),
    head: 'refs/heads/main',
  })
})

test('P-93 a branch that is no commit, an object that is not here and a name below another are left out', () => {
  const refs = new Map([
    ['refs/heads/a', a],
    ['refs/heads/a/b', a],
    ['refs/heads/blob', b],
    ['refs/tags/gone', c],
  ])
  assert.deepEqual(planRefs({ refs, head: 'refs/heads/blob' }, new Map(), types), {
    remove: [],
    put: new Map([['refs/heads/a', a]]),
    head: undefined,
  })
})
