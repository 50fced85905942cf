import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { proactiveInvariants } from './proactive-invariants.ts'
import { provenNumbers } from './proven-numbers.ts'

const page = await readFile(new URL('../../docs/protocol/proactive.md', import.meta.url), 'utf8')
/** Rows of the table of differences: number, what is done instead, why it is at least as good. */
const differences = new Map(
  [...page.matchAll(/^\| (\d+) \| (.+?) \| (.+?) \|$/gm)].map(([, number, instead, why]) => [
    Number(number),
    { instead, why },
  ]),
)
const proven = await provenNumbers('P')
const told = (numbers: Iterable<number>) =>
  Array.from(numbers, (n) => `P-${n} ${proactiveInvariants[n] ?? ''}`).join('\n')

test('every invariant of proactive sync is proved by a test that carries its number, or a difference that is told', () => {
  const settled = new Set([...proven, ...differences.keys()])
  const missing = Object.keys(proactiveInvariants)
    .map(Number)
    .filter((number) => !settled.has(number))
  assert.equal(told(missing), '', 'neither a test nor the table of differences has these')
})

test('no test and no difference carries a number that does not exist', () => {
  const numbers = [...proven, ...differences.keys()]
  assert.equal(told(numbers.filter((number) => proactiveInvariants[number] === undefined)), '')
})
