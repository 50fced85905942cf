import assert from 'node:assert/strict'
import { test } from 'node:test'
import { invariants } from './invariants.ts'
import { provenNumbers } from './proven-numbers.ts'

/** Promised and not proved yet. It only ever shrinks: whoever writes the test of one takes its number out. */
const unproven: readonly number[] = []

const told = (numbers: readonly number[]) => numbers.map((n) => `E-${n} ${invariants[n] ?? ''}`).join('\n')

const proven = await provenNumbers('E')
const all = Object.keys(invariants).map(Number)

test('every invariant of the events plane is proved by a test that carries its number', () => {
  const missing = all.filter((number) => !proven.has(number) && !unproven.includes(number))
  assert.equal(told(missing), '', 'no test carries these numbers in its name')
})

test('what is listed as unproven has no test yet', () => {
  const stale = unproven.filter((number) => proven.has(number) || invariants[number] === undefined)
  assert.equal(told(stale), '', 'these have a test: take them out of `unproven`')
})

test('no test carries the number of an invariant that does not exist', () => {
  assert.equal(told([...proven].filter((number) => invariants[number] === undefined)), '')
})
