import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeServer } from '../../src/planes/events/definition/normalize-server.ts'

/** Found by the property in normalize-server.test.ts, seed 703147770: such an object cannot be turned into text. */
test('a url that is an object with a toString of its own is refused', () => {
  const result = normalizeServer({ url: { toString: '' } }, { profile: 'open' })
  assert.ok(!result.ok)
  assert.ok(result.details.some(({ path, code }) => path === 'url' && code === 'invalid_url'))
})
