import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Database } from '../../src/planes/documents/database.ts'
import type { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { globalClaim } from '../../src/planes/documents/entry/sig-key.ts'
import type { Instance } from '../../src/planes/documents/instance.ts'
import { alice, as, bob, carol, configure, dave, denied, grant, withKeys } from '../helpers/document-keys.ts'
import { copy, entriesOf, newInstance, notes, opened, put } from '../helpers/document-world.ts'

/** Two replicas of one database of Alice's. */
async function replicas(first: Instance, second: Instance, keys: Parameters<typeof withKeys>[1]) {
  const here = await withKeys(first, keys)
  await copy(here, second)
  return { here, there: (key: KeyPair) => as(second, here, key) }
}

async function meet(a: Database, first: Instance, b: Database, second: Instance): Promise<void> {
  await copy(a, second)
  await copy(b, first)
}

const revoke = (database: Database, key: KeyPair) =>
  configure(database, (settings) => settings.revokeKey(key.publicKey))

describe('revocation holds on merge', () => {
  it('what a revoked key writes beside its revocation counts for nothing wherever both are known, in any order', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const { here, there } = await replicas(first, second, [[bob, 'write:5']])
    const before = await put(await as(first, here, bob), 'before', 'bob')
    await copy(here, second)
    const bobs = await there(bob)
    const late = await put(bobs, 'late', 'bob')
    assert.deepEqual(await notes(bobs), { before: 'bob', late: 'bob' })
    await revoke(here, bob)
    await meet(here, first, bobs, second)
    assert.deepEqual(await here.tips(), await bobs.tips())
    assert.deepEqual(await notes(here), { before: 'bob' })
    assert.deepEqual(await notes(bobs), { before: 'bob' })
    assert.deepEqual(await notes(here, [late]), { before: 'bob', late: 'bob' })
    assert.equal((await here.entry(late)).id, late)
    await using third = await newInstance()
    const entries = await entriesOf(here)
    for (const { bytes } of entries.toReversed()) await third.ingest([bytes, entries[0]!.bytes])
    assert.deepEqual(await notes(await opened(third, here.id)), { before: 'bob' })
    assert.equal(await first.read((view) => view.status(before)), 'verified')
  })

  it('honest entries that build on what is void stay, and so do those after the key was reinstated', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const { here, there } = await replicas(first, second, [
      [bob, 'write:5'],
      [carol, 'write:5'],
    ])
    const bobs = await there(bob)
    await put(bobs, 'b', 'bob')
    const carols = await there(carol)
    await put(carols, 'c', 'carol')
    await revoke(here, bob)
    await meet(here, first, carols, second)
    assert.deepEqual(await notes(here), { c: 'carol' })
    await configure(here, (settings) => settings.setKey(bob.publicKey, grant('write:5')))
    await put(await as(first, here, bob), 'b', 'reinstated')
    assert.deepEqual(await notes(here), { c: 'carol', b: 'reinstated' })
  })

  it('an admin accepts what a key wrote by building on it before revoking the key', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const { here, there } = await replicas(first, second, [[bob, 'write:5']])
    const bobs = await there(bob)
    await put(bobs, 'late', 'bob')
    await copy(bobs, first)
    await revoke(here, bob)
    assert.deepEqual(await notes(here), { late: 'bob' })
  })

  it('a revoked admin gains nothing by an old branch: neither by revoking others nor by new keys', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const { here, there } = await replicas(first, second, [
      [bob, 'admin:5'],
      [carol, 'admin:5'],
    ])
    const bobs = await there(bob)
    await configure(bobs, (settings) => {
      settings.setKey(dave.publicKey, grant('write:5'))
      settings.revokeKey(carol.publicKey)
    })
    const daves = await there(dave)
    await put(daves, 'd', 'dave')
    await revoke(here, bob)
    await put(await as(first, here, carol), 'c', 'carol')
    await meet(here, first, daves, second)
    for (const database of [here, daves]) {
      assert.deepEqual(await notes(database), { c: 'carol' })
      const { keys } = await database.auth()
      assert.equal(keys.get(carol.publicKey)?.status, 'active')
      assert.equal(keys.get(bob.publicKey)?.status, 'revoked')
      assert.equal(keys.has(dave.publicKey), false)
    }
    await put(await as(first, here, carol), 'c', 'again')
    await assert.rejects(put(await as(first, here, dave), 'd', 'again'), denied)
  })

  it('of two admins of one rank that revoke each other, the one who was there first stays', async () => {
    for (const branch of [0, 5]) {
      await using first = await newInstance()
      await using second = await newInstance()
      const here = await withKeys(first, [[carol, 'admin:5']])
      await configure(here, (settings) => settings.setKey(bob.publicKey, grant('admin:5')))
      await copy(here, second)
      const bobs = await as(second, here, bob)
      for (let i = 0; i < branch; i++) await put(bobs, 'grow', `${i}`)
      await revoke(bobs, carol)
      await revoke(await as(first, here, carol), bob)
      await meet(here, first, bobs, second)
      for (const database of [here, bobs]) {
        const { keys } = await database.auth()
        assert.equal(keys.get(carol.publicKey)?.status, 'active')
        assert.equal(keys.get(bob.publicKey)?.status, 'revoked')
      }
    }
  })

  it('the end of a global grant and of a delegation hold the same way', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await withKeys(first, [])
    await configure(here, (settings) => settings.setGlobal(grant('write:9')))
    await copy(here, second)
    const stranger = await as(second, here, bob, globalClaim(bob.publicKey))
    await put(stranger, 'late', 'stranger')
    await configure(here, (settings) => settings.setGlobal(grant('write:9', { status: 'revoked' })))
    await meet(here, first, stranger, second)
    assert.deepEqual(await notes(here), {})
    assert.deepEqual(await notes(stranger), {})
  })

  it('P-REVOKE replicas that hold the same entries hold the same state, whatever was revoked when', async () => {
    const people = [alice, bob, carol, dave]
    const action = fc.record({
      at: fc.nat(2),
      who: fc.nat(3),
      whom: fc.nat(3),
      what: fc.constantFrom('write', 'write', 'revoke', 'grant', 'meet'),
      with: fc.nat(2),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
        await using stack = new AsyncDisposableStack()
        const nodes: Instance[] = []
        for (let i = 0; i < 3; i++) nodes.push(stack.use(await newInstance()))
        const origin = await withKeys(nodes[0]!, [
          [bob, 'admin:1'],
          [carol, 'admin:1'],
          [dave, 'write:5'],
        ])
        for (const node of nodes.slice(1)) await copy(origin, node)
        for (const [i, { at, who, whom, what, with: other }] of actions.entries()) {
          const database = await as(nodes[at]!, origin, people[who]!)
          const target = people[whom]!
          try {
            if (what === 'write') await put(database, `k${i % 4}`, `${i}`)
            else if (what === 'revoke') await revoke(database, target)
            else if (what === 'grant')
              await configure(database, (settings) => settings.setKey(target.publicKey, grant('admin:1')))
            else await copy(database, nodes[other]!)
          } catch (error) {
            // Most of them may not do what they try: that is the point.
            assert.match((error as { code?: string }).code ?? String(error), /^document\//)
          }
        }
        for (const round of [0, 1])
          for (const from of nodes)
            for (const to of nodes) if (round >= 0) await copy(await opened(from, origin.id), to)
        const seen = await Promise.all(
          nodes.map(async (node) => {
            const database = await opened(node, origin.id)
            const auth = await database.auth()
            return { tips: await database.tips(), notes: await notes(database), keys: [...auth.keys].sort() }
          }),
        )
        assert.deepEqual(seen[1], seen[0])
        assert.deepEqual(seen[2], seen[0])
        await using fresh = await newInstance()
        await copy(await opened(nodes[0]!, origin.id), fresh)
        assert.deepEqual(await notes(await opened(fresh, origin.id)), seen[0]!.notes)
      }),
      { numRuns: 25 },
    )
  })
})
