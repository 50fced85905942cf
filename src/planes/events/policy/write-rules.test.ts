import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authors, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import type { NostrEvent } from '../event.ts'
import type { PolicyContext, WritePolicy } from '../write-policy.ts'
import { fromAuthenticatedOnly, type WriteRule, writeByRules } from './write-rules.ts'

const [alice = '', bob = ''] = authors
const nowSeconds = 1_800_000_000
const client: PolicyContext = {
  source: 'client',
  remote: '192.0.2.1',
  authenticated: [],
  relayUrls: [],
  nowSeconds,
}
const sync: PolicyContext = {
  ...client,
  source: 'sync',
  remote: 'wss://relay.example/',
  peer: { id: 'tribes' },
}

async function told(policy: WritePolicy, fields: Partial<NostrEvent>, context = client): Promise<string> {
  const refusal = await policy(craft({ id: hexId(1), created_at: nowSeconds, ...fields }), context)
  return typeof refusal === 'object' ? refusal.reason : (refusal ?? 'accepted')
}

const refused = 'blocked: not accepted here'

describe('write rules', () => {
  const by = (...rules: WriteRule[]) => writeByRules(rules)
  const deny = (rule: Partial<WriteRule>) => by({ action: 'deny', match: {}, ...rule })

  it('without any, and where none applies, everything may come in', async () => {
    assert.equal(await told(by(), {}), 'accepted')
    assert.equal(await told(deny({ match: { kinds: [7] } }), { kind: 1 }), 'accepted')
  })

  it('the first that applies decides, in either direction', async () => {
    const friends = by(
      { action: 'deny', match: { authors: [bob], kinds: [7] }, reason: 'no likes of yours' },
      { action: 'allow', match: { authors: [alice, bob] } },
      { action: 'deny', match: {} },
    )
    assert.equal(await told(friends, { pubkey: alice }), 'accepted')
    assert.equal(await told(friends, { pubkey: bob, kind: 7 }), 'blocked: no likes of yours')
    assert.equal(await told(friends, { pubkey: bob, kind: 1 }), 'accepted')
    assert.equal(await told(friends, { pubkey: hexId('carol') }), refused)
  })

  it('decide by kind, author, tag, age, size and door', async () => {
    const cases: readonly [Partial<WriteRule>, Partial<NostrEvent>, Partial<NostrEvent>][] = [
      [{ match: { kinds: [4] } }, { kind: 4 }, { kind: 1 }],
      [{ match: { authors: [bob] } }, { pubkey: bob }, { pubkey: alice }],
      [{ match: { '#t': ['spam'] } }, { tags: [['t', 'spam']] }, { tags: [['t', 'ham']] }],
      [{ olderThanSeconds: 60 }, { created_at: nowSeconds - 61 }, { created_at: nowSeconds - 60 }],
      [{ match: { until: 1_000 } }, { created_at: 1_000 }, { created_at: 1_001 }],
    ]
    for (const [rule, out, through] of cases) {
      assert.equal(await told(deny(rule), out), refused, JSON.stringify(rule))
      assert.equal(await told(deny(rule), through), 'accepted', JSON.stringify(rule))
    }
    const event = craft({ id: hexId(1), created_at: nowSeconds, content: 'ä' })
    const bytes = Buffer.byteLength(JSON.stringify(event))
    assert.equal(await told(deny({ largerThanBytes: bytes }), event), 'accepted')
    assert.equal(await told(deny({ largerThanBytes: bytes - 1 }), event), refused)
  })

  it('can be of one door, or of one relay', async () => {
    const doors = deny({ sources: ['sync', 'import'] })
    assert.equal(await told(doors, {}), 'accepted')
    assert.equal(await told(doors, {}, sync), refused)
    assert.equal(await told(doors, {}, { ...client, source: 'import' }), refused)
    for (const peers of [['tribes'], ['wss://relay.example/']]) {
      assert.equal(await told(deny({ peers }), {}, sync), refused)
      assert.equal(await told(deny({ peers }), {}, { ...client, remote: 'wss://relay.example/' }), 'accepted')
    }
    assert.equal(await told(deny({ peers: ['other'] }), {}, sync), 'accepted')
  })

  it('a relay that takes events from authenticated clients asks nobody else', async () => {
    assert.match(await told(fromAuthenticatedOnly, {}), /^auth-required: /)
    assert.equal(await told(fromAuthenticatedOnly, {}, { ...client, authenticated: [bob] }), 'accepted')
    assert.equal(await told(fromAuthenticatedOnly, {}, sync), 'accepted')
  })
})
