import assert from 'node:assert/strict'
import { it } from 'node:test'
import { toLinks } from './definition-links.ts'
import { normalizeServer } from './normalize-server.ts'

const everything = { id: 'a', url: 'wss://x' }

function links(more: object) {
  const result = normalizeServer({ ...everything, ...more }, { profile: 'open' })
  assert.ok(result.ok)
  return toLinks(result.value).map(({ direction, filter }) => ({ direction, filter }))
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

it('what goes up may be something else than what comes down; what goes both ways is one link', () => {
  const filters = [{ kinds: [1] }, { kinds: [7] }]
  const upload = { filters, upload_filters: [{ kinds: [7] }, { kinds: [9] }] }
  assert.deepEqual(links({ direction: 'both', ...upload }), [
    { direction: 'down', filter: { kinds: [1] } },
    { direction: 'both', filter: { kinds: [7] } },
    { direction: 'up', filter: { kinds: [9] } },
  ])
  assert.deepEqual(links({ direction: 'up', ...upload }), [
    { direction: 'up', filter: { kinds: [7] } },
    { direction: 'up', filter: { kinds: [9] } },
  ])
  assert.deepEqual(links({ ...upload }), [
    { direction: 'down', filter: { kinds: [1] } },
    { direction: 'down', filter: { kinds: [7] } },
  ])
})

it('a server stays connected unless it is polled or has a schedule of its own', () => {
  const pace = (more: object) => {
    const result = normalizeServer({ ...everything, ...more }, { profile: 'open' })
    assert.ok(result.ok)
    return toLinks(result.value).map(({ live, schedule }) => ({ live, schedule }))
  }
  assert.deepEqual(pace({}), [{ live: true, schedule: undefined }])
  assert.deepEqual(pace({ mode: 'poll' }), [{ live: false, schedule: undefined }])
  assert.deepEqual(pace({ mode: 'auto', schedule: '5m' }), [{ live: false, schedule: '5m' }])
})
