import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePermission } from '../../src/planes/documents/auth/permission.ts'
import type { Database } from '../../src/planes/documents/database.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { type DatabaseId, type EntryId, entryIdOf } from '../../src/planes/documents/entry/entry-id.ts'
import type { DelegationStep, KeyHint, SigKey } from '../../src/planes/documents/entry/sig-key.ts'
import type { Instance } from '../../src/planes/documents/instance.ts'
import { alice, as, bob, carol, configure, dave, denied, grant, refused } from '../helpers/document-keys.ts'
import { copy, entriesOf, kinds, newInstance, notes, opened, put } from '../helpers/document-world.ts'

const via = (path: readonly DelegationStep[], hint: KeyHint): SigKey => ({ kind: 'delegation', path, hint })

async function delegate(
  from: Database,
  to: Database,
  bounds: string,
  tips?: readonly EntryId[],
): Promise<void> {
  const [max, min] = bounds.split(' ').map(parsePermission)
  const floor = tips ?? (await to.tips())
  await configure(from, (settings) =>
    settings.addDelegation(to.id, {
      bounds: min === undefined ? { max: max! } : { max: max!, min },
      tips: floor,
    }),
  )
}

const step = async (database: Database): Promise<DelegationStep> => ({
  tree: database.id,
  tips: await database.tips(),
})

/** Dave's identity database with Bob as a writer in it, and Alice's database that lets it act. */
async function world(instance: Instance, bounds = 'write:5') {
  const identity = await instance.createDatabase({ key: dave, name: 'identity' })
  await configure(identity, (settings) =>
    settings.setKey(bob.publicKey, grant('admin:1', { name: 'laptop' })),
  )
  const database = await instance.createDatabase({ key: alice })
  await delegate(database, identity, bounds)
  const claim = via([await step(identity)], { pubkey: bob.publicKey })
  return { identity, database, claim, mine: await as(instance, database, bob, claim) }
}

describe('delegation', () => {
  it('D-52 a key of another database acts here, within bounds, by key or by name', async () => {
    await using instance = await newInstance()
    const { identity, database, mine } = await world(instance)
    await put(mine, 'k', 'bob')
    await assert.rejects(
      configure(mine, (settings) => settings.setName('x')),
      denied,
    )
    const named = via([await step(identity)], { name: 'laptop' })
    await put(await as(instance, database, bob, named), 'k', 'laptop')
    assert.deepEqual(await notes(database), { k: 'laptop' })
    const [found] = await database.findClaims(bob.publicKey)
    assert.deepEqual(found, {
      claim: via([await step(identity)], { pubkey: bob.publicKey }),
      permission: parsePermission('write:5'),
    })
  })

  it('D-52 a reader there is raised to the minimum here', async () => {
    await using instance = await newInstance()
    const { identity, database } = await world(instance, 'write:5 write:9')
    await configure(identity, (settings) => settings.setKey(carol.publicKey, grant('read')))
    const claim = via([await step(identity)], { pubkey: carol.publicKey })
    await put(await as(instance, database, carol, claim), 'k', 'carol')
    const [found] = await database.findClaims(carol.publicKey)
    assert.deepEqual(found?.permission, parsePermission('write:9'))
  })

  it('D-52 claimed tips show the state that counts, and none older than the floor', async () => {
    await using instance = await newInstance()
    const { identity, database, claim, mine } = await world(instance)
    const old = [identity.id]
    const before = await step(identity)
    await configure(identity, (settings) => settings.revokeKey(bob.publicKey))
    await put(mine, 'k', 'as claimed')
    const now = via([await step(identity)], { pubkey: bob.publicKey })
    await assert.rejects(put(await as(instance, database, bob, now), 'k', 'revoked'), denied)
    const older = via([{ tree: identity.id, tips: old }], { pubkey: dave.publicKey })
    await assert.rejects(put(await as(instance, database, dave, older), 'k', 'too old'), denied)
    await delegate(database, identity, 'write:5')
    await assert.rejects(put(mine, 'k', 'below the new floor'), denied)
    assert.deepEqual(before, claim.kind === 'delegation' ? claim.path[0] : undefined)
    assert.deepEqual(await notes(database), { k: 'as claimed' })
  })

  it('D-52 wrong paths are refused: foreign, unknown or too many tips, global, empty, undeclared', async () => {
    await using instance = await newInstance()
    const { identity, database } = await world(instance)
    const other = await instance.createDatabase({ key: dave })
    const hint = { pubkey: bob.publicKey }
    const tips = await identity.tips()
    const many = Array.from({ length: 65 }, (_, i) => entryIdOf(Buffer.from(`tip ${i}`)))
    const bad: Readonly<Record<string, SigKey>> = {
      'foreign tips': via([{ tree: identity.id, tips: [other.id] }], hint),
      'no tips': via([{ tree: identity.id, tips: [] }], hint),
      '65 tips': via([{ tree: identity.id, tips: many }], hint),
      'a global hint': via([{ tree: identity.id, tips }], { ...hint, isGlobal: true }),
      'an empty path': via([], hint),
      'a database that is not delegated to': via([{ tree: other.id, tips: [other.id] }], hint),
      'a key that is not known there': via([{ tree: identity.id, tips }], { pubkey: carol.publicKey }),
    }
    for (const [name, claim] of Object.entries(bad)) {
      const key = name.startsWith('a key') ? carol : bob
      await assert.rejects(put(await as(instance, database, key, claim), 'k', 'v'), denied, name)
    }
  })

  it('D-52 ten steps are followed, eleven are refused, and every bound on the way holds', async () => {
    await using instance = await newInstance()
    const chain: Database[] = [await instance.createDatabase({ key: dave })]
    await configure(chain[0]!, (settings) => settings.setKey(bob.publicKey, grant('admin:1')))
    for (let i = 1; i <= 11; i++) {
      const next = await instance.createDatabase({ key: alice })
      await delegate(next, chain.at(-1)!, i === 3 ? 'write:7' : 'admin:2')
      chain.push(next)
    }
    const path = async (from: number) => {
      const steps = await Promise.all(chain.slice(0, from).map(step))
      return via(steps.reverse(), { pubkey: bob.publicKey })
    }
    const tenth = await as(instance, chain[10]!, bob, await path(10))
    await put(tenth, 'k', 'ten steps')
    await assert.rejects(
      configure(tenth, (settings) => settings.setName('x')),
      denied,
    )
    await configure(await as(instance, chain[2]!, bob, await path(2)), (settings) => settings.setName('x'))
    await assert.rejects(put(await as(instance, chain[11]!, bob, await path(11)), 'k', 'eleven'), denied)
  })

  it('D-53 an entry whose delegation is not here yet is held, says what it waits for, and verifies when it comes', async () => {
    await using writer = await newInstance()
    const { identity, database, mine } = await world(writer)
    await put(mine, 'k', 'bob')
    await using reader = await newInstance()
    const entries = await entriesOf(database)
    assert.deepEqual(await kinds(reader, ...entries), ['verified', 'verified', 'held'])
    const there = await opened(reader, database.id)
    assert.deepEqual(await notes(there), {})
    const wanted = await reader.read((view) => [view.wantedDatabases(), view.wanted(identity.id, 9)] as const)
    assert.deepEqual(wanted, [[identity.id], await identity.tips()])
    const { released, advances } = await copy(identity, reader)
    assert.deepEqual(released, [entries[2]!.id])
    assert.equal(advances.length, 2)
    assert.deepEqual(await notes(there), { k: 'bob' })
    assert.deepEqual(await reader.read((view) => view.wantedDatabases()), [])
  })

  it('D-53 what waits for a database in vain is not readable, and a bad one of them fails when it can be judged', async () => {
    await using writer = await newInstance()
    const { identity, database, mine } = await world(writer)
    await put(mine, 'k', 'bob')
    const [root, settings, entry] = await entriesOf(database)
    await using reader = await newInstance()
    await kinds(reader, root!, settings!)
    const claim = via([await step(identity)], { pubkey: carol.publicKey })
    const forged = sealEntry({ ...entry!.entry, sig: { signature: undefined, key: claim } }, carol)
    assert.deepEqual(await kinds(reader, forged, entry!), ['held', 'held'])
    const { released, failed } = await copy(identity, reader)
    assert.deepEqual([released, failed], [[entry!.id], [forged.id]])
    assert.equal(await reader.read((view) => view.status(forged.id)), 'failed')
  })

  it('an admin of the delegating database that cannot reach the delegation cannot write under it', async () => {
    await using writer = await newInstance()
    const { database, claim } = await world(writer)
    await using reader = await newInstance()
    await copy(database, reader)
    const there = await reader.database(database.id as DatabaseId, { key: bob, claim })
    await assert.rejects(put(there, 'k', 'v'), refused('document/unsynced'))
    assert.deepEqual(await reader.read((view) => view.wantedDatabases()), [])
  })
})
