import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { invariants } from './invariants.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Promised and not proved yet. It only ever shrinks: whoever writes the test of one takes its number out. */
const unproven: readonly number[] = []

/** A call that names a test or a group of tests; `test.skip` and `test.todo` prove nothing and do not match. */
const named =
  /\b(?:test|it|describe|suite)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gs

async function provenNumbers(): Promise<ReadonlySet<number>> {
  const proven = new Set<number>()
  for await (const path of glob('{src,test}/**/*.test.ts', { cwd: root })) {
    const text = await readFile(`${root}${path}`, 'utf8')
    for (const [, single, double, template] of text.matchAll(named))
      for (const [, number] of `${single ?? double ?? template}`.matchAll(/\bE-(\d+)\b/g))
        proven.add(Number(number))
  }
  return proven
}

const told = (numbers: readonly number[]) => numbers.map((n) => `E-${n} ${invariants[n] ?? ''}`).join('\n')

const proven = await provenNumbers()
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
