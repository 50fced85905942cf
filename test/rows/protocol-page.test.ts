import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { canonicalJson } from '../../src/planes/rows/wire/canonical-json.ts'
import { errorStatus } from '../../src/planes/rows/wire/error-code.ts'
import { parseJson } from '../../src/planes/rows/wire/json-text.ts'
import { paths } from '../../src/planes/rows/wire/protocol.ts'

const page = await readFile(new URL('../../docs/protocol/rows.md', import.meta.url), 'utf8')

describe('the page about the protocol', () => {
  it('R-34 shows bytes that are canonical and have the hashes that stand before them', () => {
    const hashes = [...page.matchAll(/`([0-9a-f]{64})`/g)].map(([, hash]) => hash)
    const blocks = [...page.matchAll(/```json\n(.*)\n```/g)].map(([, bytes]) => bytes!)
    assert.deepEqual([hashes.length, blocks.length], [3, 3])
    for (const [i, bytes] of blocks.entries()) {
      assert.equal(createHash('sha256').update(bytes).digest('hex'), hashes[i])
      assert.equal(canonicalJson(parseJson(bytes)), bytes)
    }
  })

  it('R-34 shows numbers as they are written', () => {
    const numbers = [...page.matchAll(/\| `(-?[\d.eE+-]+)` \| (?:`([^`]+)`|an error) (?=\|)/g)]
    assert.equal(numbers.length, 10)
    for (const [, literal, canonical] of numbers) {
      const write = () => canonicalJson(parseJson(literal ?? ''))
      if (canonical === undefined) assert.throws(write)
      else assert.equal(write(), canonical)
    }
  })

  it('names every route', () => {
    const routes = Object.values(paths).map((path) =>
      typeof path === 'function' ? path('{}' as never) : path,
    )
    assert.ok(routes.length >= 12)
    const named = page.replaceAll(/\{[a-z_]+\}/g, '{}')
    for (const route of routes) assert.ok(named.includes(decodeURIComponent(route)), route)
  })

  it('names no code that no answer has', () => {
    const codes = [...page.matchAll(/\b(?:4\d\d|5\d\d) `([a-z_]+)`/g)].map(([, code]) => code!)
    assert.ok(codes.length >= 8)
    for (const code of codes) assert.ok(code in errorStatus, code)
  })
})
