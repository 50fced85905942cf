import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authors, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { createSqliteStore } from '../../../stores/sqlite/sqlite-store.ts'
import { EventError } from '../event-error.ts'
import type { Filter } from '../filter.ts'
import { defaultLimits } from '../limits.ts'
import type { PolicyContext } from '../write-policy.ts'
import { Acl, type Grant } from './acl.ts'
import { openGrantTable } from './grant-table.sqlite.ts'
import { leaveByGrant } from './leave-by-grant.ts'
import { parseGrant } from './parse-grant.ts'
import { ReadPolicy } from './read-policy.ts'
import { writeByGrant } from './write-by-grant.ts'

const [alice = '', bob = ''] = authors
const read = (match: object, principal = alice): Grant =>
  parseGrant({ principal, capability: 'sync_read', match }, defaultLimits)
const write = (match: object, principal = alice): Grant => ({
  ...read(match, principal),
  capability: 'sync_write',
})

/** An ACL on a file that can be opened again. */
async function world(protectedFilters: readonly Filter[] = [{ kinds: [5000] }]) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const open = async () => {
    const store = await createSqliteStore({ dir: folder.path })
    return { store, acl: await Acl.open(await openGrantTable(store), protectedFilters) }
  }
  const { store, acl } = await open()
  const stack = opening.move()
  return {
    acl,
    reopen: async () => {
      await store[Symbol.asyncDispose]()
      const again = await open()
      stack.use(again.store)
      return again.acl
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await stack.disposeAsync()
    },
  }
}

describe('grants', () => {
  it('outlive the process, once each, however they are spelled', async () => {
    await using one = await world()
    await one.acl.grant(read({ kinds: [5001, 5000] }))
    await one.acl.grant(read({ kinds: [5000, 5001, 5000] }))
    await one.acl.grant(write({}, bob))
    assert.equal(one.acl.list().length, 2)
    assert.equal(await one.acl.revoke(read({ kinds: [1] })), false)
    const again = await one.reopen()
    assert.deepEqual(again.list(), one.acl.list())
    assert.equal(await again.revoke(read({ kinds: [5000, 5001] })), true)
    assert.deepEqual(
      again.list().map(({ principal }) => principal),
      [bob],
    )
  })

  const wrong: readonly [string, unknown, RegExp][] = [
    ['nothing', undefined, /a grant/],
    ['no principal', { capability: 'sync_read' }, /principal/],
    ['a principal that is no key', { principal: 'ab', capability: 'sync_read' }, /principal: must be 64 hex/],
    [
      'another kind of principal',
      { principal_type: 'role', principal: alice, capability: 'sync_read' },
      /type/,
    ],
    ['an unknown capability', { principal: alice, capability: 'admin' }, /capability/],
    ['an unknown field', { principal: alice, capability: 'sync_read', deny: true }, /deny/],
    [
      'a filter with a limit',
      { principal: alice, capability: 'sync_read', match: { limit: 1 } },
      /match: limit/,
    ],
    [
      'a filter with an empty list',
      { principal: alice, capability: 'sync_read', match: { ids: [] } },
      /match/,
    ],
  ]
  for (const [what, input, message] of wrong)
    it(`${what} is refused by name`, () => {
      assert.throws(() => parseGrant(input, defaultLimits), { code: 'config/invalid', message })
    })

  it('a key in upper case is the same key', () => {
    assert.equal(read({}, alice.toUpperCase()).principal, alice)
  })
})

describe('E-81 reading what is protected', () => {
  it('takes one grant that speaks for the whole request', async () => {
    await using one = await world([{ kinds: [5000], '#r': ['secret', 'top'] }])
    const policy = new ReadPolicy({ restrictedKinds: [], acl: one.acl })
    const told = (filter: Filter, ...pubkeys: string[]) =>
      policy.refuse([filter], pubkeys)?.code ?? 'answered'
    assert.equal(told({ kinds: [1] }), 'answered')
    assert.equal(told({ kinds: [5000], '#r': ['open'] }), 'answered')
    for (const asking of [{}, { kinds: [5000] }, { '#r': ['secret'] }, { kinds: [1, 5000] }])
      assert.equal(told(asking), 'auth_required', JSON.stringify(asking))
    assert.equal(told({ kinds: [5000] }, alice), 'sync_read_not_allowed')
    await one.acl.grant(read({ kinds: [5000], '#r': ['secret'] }))
    await one.acl.grant(read({ kinds: [5000], '#r': ['top'] }))
    assert.equal(told({ kinds: [5000], '#r': ['secret'] }, alice), 'answered')
    assert.equal(told({ kinds: [5000], '#r': ['secret'] }, bob), 'sync_read_not_allowed')
    assert.equal(told({ kinds: [5000], '#r': ['secret'] }, bob, alice), 'answered')
    assert.equal(told({ kinds: [5000], '#r': ['secret', 'top'] }, alice), 'sync_read_not_allowed')
    await one.acl.grant(read({}))
    assert.equal(told({}, alice), 'answered')
  })

  it('an event of both sorts stays hidden where the request seemed to ask for none of it', async () => {
    await using one = await world([{ kinds: [5000], '#r': ['secret'] }])
    const policy = new ReadPolicy({ restrictedKinds: [], acl: one.acl })
    const tags = [
      ['r', 'open'],
      ['r', 'secret'],
    ]
    const both = craft({ id: hexId(1), kind: 5000, tags })
    const filters = [{ kinds: [5000], '#r': ['open'] }]
    assert.equal(policy.visibility([], filters).guard?.allows(both), false)
    await one.acl.grant(read({ '#r': ['secret'] }))
    assert.equal(policy.visibility([alice], filters).guard?.allows(both), true)
    assert.equal(policy.visibility([alice], [{ kinds: [1] }]).guard, undefined, 'nothing to look at')
  })

  it('the rules of the operator come first, and the first that applies decides', () => {
    const policy = new ReadPolicy({
      restrictedKinds: [],
      rules: [
        { action: 'allow', match: { kinds: [4], authors: [alice] } },
        { action: 'deny', match: { kinds: [4, 1059] } },
      ],
    })
    const told = (filter: Filter) => policy.refuse([filter], [])?.code ?? 'answered'
    assert.equal(told({ kinds: [1] }), 'answered')
    assert.equal(told({ kinds: [4], authors: [alice] }), 'answered')
    for (const asking of [{}, { kinds: [4] }, { kinds: [1, 1059] }, { kinds: [4], authors: [alice, bob] }])
      assert.equal(told(asking), 'read_not_allowed', JSON.stringify(asking))
    const { guard } = policy.visibility([])
    assert.equal(guard?.allows(craft({ id: hexId(1), kind: 4, pubkey: alice })), true)
    assert.equal(guard?.allows(craft({ id: hexId(2), kind: 4, pubkey: bob })), false)
    assert.equal(told({ ids: [hexId(2)] }), 'answered', 'and not shown')
  })

  it('a relay for authenticated readers answers nobody else', () => {
    const policy = new ReadPolicy({ restrictedKinds: [], access: 'authenticated' })
    assert.equal(policy.refuse([{ kinds: [1] }], [])?.code, 'auth_required')
    assert.equal(policy.refuse([{ kinds: [1] }], [alice]), undefined)
  })
})

describe('writing what is protected', () => {
  const context: PolicyContext = {
    source: 'client',
    remote: '',
    authenticated: [],
    relayUrls: [],
    nowSeconds: 0,
  }

  it('takes a grant of the client, and of the relay that an event comes from, not of its author', async () => {
    await using one = await world()
    const policy = writeByGrant(one.acl)
    const event = craft({ id: hexId(1), kind: 5000, pubkey: bob })
    const told = async (more: Partial<PolicyContext>, kind = 5000) => {
      const refusal = await policy({ ...event, kind }, { ...context, ...more })
      return refusal instanceof EventError ? `${refusal.code} ${refusal.reason}` : 'accepted'
    }
    assert.equal(await told({}, 1), 'accepted')
    assert.equal(await told({ source: 'import' }), 'accepted')
    assert.match(await told({}), /^event\/write-not-allowed auth-required: auth_required/)
    assert.match(await told({ authenticated: [bob] }), /restricted: sync_write_not_allowed/)
    await one.acl.grant(write({ kinds: [5000], authors: [bob] }))
    assert.equal(await told({ authenticated: [alice] }), 'accepted')
    assert.match(await told({ authenticated: [bob] }), /sync_write_not_allowed/)
    const peer = (pubkey: string) => ({ source: 'sync' as const, peer: { id: 'x', pubkey } })
    assert.equal(await told(peer(alice)), 'accepted')
    assert.match(await told(peer(bob)), /sync_write_not_allowed/)
    assert.match(await told({ source: 'sync' }), /sync_write_not_allowed/)
    assert.equal(await told({ source: 'sync', authenticated: [alice] }), 'accepted')
  })

  it('goes up to a relay whose key may read it, from the moment it may', async () => {
    await using one = await world()
    const leave = async (pubkey: string | undefined, kind = 5000) => {
      const refusal = await leaveByGrant(one.acl, pubkey)?.(craft({ id: hexId(1), kind }), context)
      return refusal instanceof EventError ? refusal.reason : 'leaves'
    }
    assert.match(await leave(undefined), /^restricted: sync_read_not_allowed/)
    assert.match(await leave(alice), /^restricted: sync_read_not_allowed/)
    assert.equal(await leave(undefined, 1), 'leaves')
    await one.acl.grant(read({ kinds: [5000] }))
    assert.equal(await leave(alice), 'leaves')
    assert.match(await leave(bob), /^restricted: /)
    await using open = await world([])
    assert.equal(leaveByGrant(open.acl, undefined), undefined, 'nothing is protected, nothing is asked')
  })
})
