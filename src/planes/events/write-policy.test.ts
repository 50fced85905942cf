import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { craft } from '../../../test/acceptance/event-arbitrary.ts'
import type { NostrEvent } from './event.ts'
import { EventError } from './event-error.ts'
import { createWritePolicy, firstRefusal, type PolicyContext, type WritePolicy } from './write-policy.ts'

const id = 'a'.repeat(64)
const author = 'b'.repeat(64)
const nowSeconds = 1_700_000_000
const client: PolicyContext = {
  source: 'client',
  remote: '192.0.2.1',
  authenticated: [],
  relayUrls: ['wss://relay.example/'],
  nowSeconds,
}
const limits = { maxFutureSeconds: 900, maxPastSeconds: 0 }
const standard = createWritePolicy({ limits })

const event = (fields: Partial<NostrEvent> = {}): NostrEvent =>
  craft({ id, pubkey: author, created_at: nowSeconds, ...fields })

async function verdict(
  fields: Partial<NostrEvent>,
  context: Partial<PolicyContext> = {},
  policy: WritePolicy = standard,
): Promise<string> {
  const refusal = await policy(event(fields), { ...client, ...context })
  if (refusal === undefined) return 'accepted'
  return typeof refusal === 'string' ? refusal : refusal.reason.replace(/: .*/, ':')
}

describe('time', () => {
  it('accepts up to 900 seconds ahead, and not one more', async () => {
    assert.equal(await verdict({ created_at: nowSeconds + 900 }), 'accepted')
    for (const source of ['client', 'sync', 'import'] as const)
      assert.equal(await verdict({ created_at: nowSeconds + 901 }, { source }), 'invalid:')
    assert.equal(await verdict({ created_at: Number.MAX_SAFE_INTEGER }), 'invalid:')
  })

  it('accepts any age unless told otherwise, and then only refuses clients', async () => {
    assert.equal(await verdict({ created_at: 0 }), 'accepted')
    const recent = createWritePolicy({ limits: { ...limits, maxPastSeconds: 60 } })
    assert.equal(await verdict({ created_at: nowSeconds - 60 }, {}, recent), 'accepted')
    assert.equal(await verdict({ created_at: nowSeconds - 61 }, {}, recent), 'invalid:')
    assert.equal(await verdict({ created_at: 0 }, { source: 'sync' }, recent), 'accepted')
    assert.equal(await verdict({ created_at: 0 }, { source: 'import' }, recent), 'accepted')
  })

  it('E-143 refuses what has expired, from the second on that it names', async () => {
    const expiring = (value: string, kind = 1) => verdict({ kind, tags: [['expiration', value]] })
    assert.equal(await expiring(String(nowSeconds)), 'invalid:')
    assert.equal(await expiring(String(nowSeconds + 1)), 'accepted')
    assert.equal(await expiring('0'), 'invalid:')
    for (const ignored of ['', 'soon', '-1', '1.5', ' 1']) assert.equal(await expiring(ignored), 'accepted')
    assert.equal(await expiring('0', 20_001), 'accepted')
  })
})

describe('kinds', () => {
  it('AUTH events are never taken for publishing', async () => {
    for (const source of ['client', 'sync', 'import'] as const)
      assert.equal(await verdict({ kind: 22_242 }, { source, authenticated: [author] }), 'invalid:')
  })
})

describe('protected events', () => {
  const tags = [['-']]

  it('E-145 come in only from their author', async () => {
    assert.equal(await verdict({ tags }), 'auth-required:')
    assert.equal(await verdict({ tags }, { authenticated: ['c'.repeat(64)] }), 'restricted:')
    assert.equal(await verdict({ tags }, { authenticated: ['c'.repeat(64), author] }), 'accepted')
    assert.equal(await verdict({ tags }, { source: 'sync' }), 'auth-required:')
    assert.equal(await verdict({ tags }, { source: 'import' }), 'accepted')
  })

  it('E-145 must not be reposted, whoever does it and however it is written', async () => {
    const embedded = JSON.stringify(event({ tags }))
    const spellings = [embedded, ` \n${embedded}`, embedded.replace('"-"', '"\\u002d"')]
    for (const content of spellings)
      for (const kind of [6, 16]) {
        assert.equal(await verdict({ kind, content }), 'blocked:')
        assert.equal(await verdict({ kind, content }, { authenticated: [author] }), 'blocked:')
      }
    assert.equal(await verdict({ kind: 1, content: embedded }), 'accepted')
  })

  it('other reposts pass, with an event in them or anything else', async () => {
    const contents = [
      '',
      JSON.stringify(event()),
      'nice!',
      '{',
      '{}',
      '{"tags":1}',
      '{"tags":[1,null]}',
      '"-"',
      '[["-"]]',
    ]
    for (const content of contents) assert.equal(await verdict({ kind: 6, content }), 'accepted')
    const hiding = `{"x":${'['.repeat(50_000)}`
    assert.equal(await verdict({ kind: 6, content: hiding }), 'blocked:')
  })
})

describe('requests to vanish', () => {
  it('E-144 are taken when they name us or all relays', async () => {
    const naming = (...relays: string[]) => verdict({ kind: 62, tags: relays.map((url) => ['relay', url]) })
    assert.equal(await naming('wss://relay.example'), 'accepted')
    assert.equal(await naming('wss://other.example', 'WSS://RELAY.example:443/'), 'accepted')
    assert.equal(await naming('ALL_RELAYS'), 'accepted')
    assert.equal(await naming('wss://other.example', 'wss://relay.example.evil/', 'all_relays'), 'blocked:')
    assert.equal(await naming(), 'blocked:')
    assert.equal(await verdict({ kind: 62, tags: [['relay'], ['r', 'ALL_RELAYS']] }), 'blocked:')
  })

  it('E-144 a relay without a public address takes those to all relays only', async () => {
    const tags = [['relay', 'not a url']]
    assert.equal(await verdict({ kind: 62, tags }, { relayUrls: [] }), 'blocked:')
    assert.equal(await verdict({ kind: 62, tags: [['relay', 'ALL_RELAYS']] }, { relayUrls: [] }), 'accepted')
  })
})

describe('chains', () => {
  it('the first refusal counts and ends the questions', async () => {
    const asked: string[] = []
    const says = (name: string, refuse: boolean, later = false): WritePolicy => {
      const answer = () => {
        asked.push(name)
        return refuse ? new EventError('event/kind-refused', 'blocked', name) : undefined
      }
      return later ? async () => answer() : answer
    }
    const chain = firstRefusal([
      says('a', false),
      says('b', false, true),
      says('c', true, true),
      says('d', true),
    ])
    const refusal = await chain(event(), client)
    assert.ok(refusal instanceof EventError)
    assert.equal(refusal.reason, 'blocked: c')
    assert.deepEqual(asked, ['a', 'b', 'c'])
  })

  it('the operator is asked after the built-in rules', async () => {
    const more: WritePolicy[] = [() => new EventError('event/kind-refused', 'restricted', 'members only')]
    const policy = createWritePolicy({ limits, more })
    assert.equal(await verdict({}, {}, policy), 'restricted:')
    assert.equal(await verdict({ created_at: nowSeconds + 901 }, {}, policy), 'invalid:')
  })
})
