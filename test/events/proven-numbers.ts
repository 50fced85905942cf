import { glob, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A call that names a test or a group of tests; `test.skip` and `test.todo` prove nothing and do not match. */
const named =
  /\b(?:test|it|describe|suite)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gs

/** Numbers that names of tests carry after `letter-`. Suites that several stores run are no test files themselves. */
export async function provenNumbers(letter: string): Promise<ReadonlySet<number>> {
  const carried = new RegExp(`\\b${letter}-(\\d+)\\b`, 'g')
  const proven = new Set<number>()
  for await (const path of glob(['{src,test}/**/*.test.ts', 'test/acceptance/**/*.ts'], { cwd: root })) {
    const text = await readFile(`${root}${path}`, 'utf8')
    for (const [, single, double, template] of text.matchAll(named))
      for (const [, number] of `${single ?? double ?? template}`.matchAll(carried)) proven.add(Number(number))
  }
  return proven
}
