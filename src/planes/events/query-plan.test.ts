import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Filter } from './filter.ts'
import { accessPaths, planQuery, tagConditions } from './query-plan.ts'

const author = 'a'.repeat(64)
const id = 'b'.repeat(64)

describe('query plan', () => {
  const paths: readonly [Filter, readonly string[]][] = [
    [{}, ['time']],
    [{ since: 1, until: 2 }, ['time']],
    [{ kinds: [1] }, ['kind']],
    [{ authors: [author] }, ['author']],
    [{ authors: [author], kinds: [1] }, ['author']],
    [{ '#e': [id] }, ['tag']],
    [{ '#e': [id], '#t': ['x'], authors: [author], kinds: [1] }, ['tag', 'tag', 'author']],
    [{ '#e': [id], kinds: [1] }, ['tag', 'kind']],
    [{ ids: [id], authors: [author], '#e': [id] }, ['ids']],
    [{ kinds: [] }, ['nothing']],
    [{ '#t': [], ids: [id] }, ['nothing']],
    [{ since: 2, until: 1 }, ['nothing']],
  ]
  for (const [filter, expected] of paths) {
    it(`reads ${JSON.stringify(filter).replaceAll(/([ab])\1+/g, '$1…')} by ${expected.join(' or ')}`, () => {
      assert.deepEqual(
        accessPaths(filter).map(({ by }) => by),
        expected,
      )
    })
  }

  it('asks for each value once', () => {
    assert.deepEqual(accessPaths({ kinds: [1, 2, 1] })[0], { by: 'kind', kinds: [1, 2] })
    assert.deepEqual(accessPaths({ ids: [id, id] })[0], { by: 'ids', ids: [id] })
  })

  it('leaves to the event what the access does not answer', () => {
    const needs = (filter: Filter) => planQuery(filter, accessPaths(filter)[0]).needsEvent
    assert.equal(needs({ kinds: [1], since: 1 }), false)
    assert.equal(needs({ '#e': [id], kinds: [1] }), false)
    assert.equal(needs({ authors: [author], kinds: [1] }), false)
    assert.equal(needs({ ids: [id], kinds: [1] }), false)
    assert.equal(needs({ ids: [id], authors: [author] }), true)
    assert.equal(needs({ '#e': [id], authors: [author] }), true)
    assert.equal(needs({ '#e': [id], '#p': [author] }), true)
  })

  it('checks kinds on index rows only where the access leaves them open', () => {
    const kinds = (filter: Filter) => planQuery(filter, accessPaths(filter)[0]).kinds
    assert.equal(kinds({ kinds: [1] }), undefined)
    assert.equal(kinds({ authors: [author], kinds: [1] }), undefined)
    assert.deepEqual(kinds({ '#e': [id], kinds: [1] }), new Set([1]))
    assert.deepEqual(kinds({ ids: [id], kinds: [1] }), new Set([1]))
  })

  it('takes only lists under # for conditions on tags', () => {
    assert.deepEqual(tagConditions({ '#e': [id], kinds: [1], since: 3 }), [['e', [id]]])
  })
})
