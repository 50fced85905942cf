import assert from 'node:assert/strict'
import { it } from 'node:test'
import { toLinks } from './definition-links.ts'
import { normalizeServer } from './normalize-server.ts'

function links(more: object) {
  const result = normalizeServer({ id: 'a', url: 'wss://x', ...more }, { profile: 'open' })
  assert.ok(result.ok)
  return toLinks(result.value)
}

it('every filter is a link in the direction of its server', () => {
  assert.deepEqual(links({}), [{ direction: 'down', filter: {} }])
  assert.deepEqual(links({ direction: 'both', filters: [{ kinds: [1] }, { kinds: [7] }] }), [
    { direction: 'both', filter: { kinds: [1] } },
    { direction: 'both', filter: { kinds: [7] } },
  ])
})

it('event_kinds bounds the filters that name no kinds, and equal links are one', () => {
  const config = { event_kinds: [3, 1] }
  assert.deepEqual(links({ config, filters: [{}, { since: 5 }, { kinds: [7] }, { kinds: [1, 3] }] }), [
    { direction: 'down', filter: { kinds: [1, 3] } },
    { direction: 'down', filter: { kinds: [1, 3], since: 5 } },
    { direction: 'down', filter: { kinds: [7] } },
  ])
})
