import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  clamp,
  covers,
  formatPermission,
  maxPriority,
  narrow,
  parsePermission,
  rankOf,
} from '../../src/planes/documents/auth/permission.ts'
import { globalClaim, keyClaim } from '../../src/planes/documents/entry/sig-key.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import {
  combineSyncSettings,
  type SyncSettings,
  syncDisabled,
  syncEnabled,
  syncOnCommit,
} from '../../src/planes/documents/users/sync-settings.ts'
import { Users } from '../../src/planes/documents/users/users.ts'
import { alice, bob, configure, grant, refused } from '../helpers/document-keys.ts'
import { copy, entriesOf, newInstance, notes, put } from '../helpers/document-world.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

const wrong = refused('document/password')
const nobody = refused('document/user')

async function world(storage = new MemoryDocumentStorage()) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  const instance = await newInstance({ storage, clock })
  return { instance, clock, users: new Users(instance, clock) }
}

describe('users', () => {
  it('a password opens the keys, another or none does not, and what is stored shows neither key nor password', async () => {
    const storage = new MemoryDocumentStorage()
    const { instance, clock, users } = await world(storage)
    const ann = await users.create({ username: 'ann', password: 'hunter2' })
    const made = await ann.createDatabase({ name: 'mine' })
    await put(made, 'k', 'v')
    const secret = (await ann.signingKey(ann.rootKey)).exportSecret()
    const stored = await instance.read(async (view) => {
      const databases = view.databases()
      return databases
        .flatMap((id) => view.list(id, { limit: 1_000 }))
        .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
    })
    for (const text of stored) assert.ok(!text.includes(secret) && !text.includes('hunter2'))
    await instance[Symbol.asyncDispose]()
    await using again = await newInstance({ storage, clock })
    const people = new Users(again, clock)
    await assert.rejects(people.login('ann', 'hunter3'), wrong)
    await assert.rejects(people.login('ann'), wrong)
    await assert.rejects(people.login('bea'), nobody)
    const back = await people.login('ann', 'hunter2')
    const database = await back.openDatabase(made.id)
    await put(database, 'k', 'w')
    assert.deepEqual(await notes(database), { k: 'w' })
    assert.deepEqual(await back.findDatabases('mine'), [made.id])
    back.logout()
    await assert.rejects(back.createDatabase(), nobody)
    await assert.rejects(back.keys(), nobody)
  })

  it('a user without a password logs in without one, and only so', async () => {
    await using instance = await newInstance()
    const users = new Users(instance, new FakeClock())
    await users.create({ username: 'ann' })
    await assert.rejects(users.login('ann', 'x'), wrong)
    assert.equal((await users.login('ann')).username, 'ann')
  })

  it('of two that want one name at once, one gets it; only an admin of the instance makes users after the first', async () => {
    await using instance = await newInstance()
    const users = new Users(instance, new FakeClock())
    const both = await Promise.allSettled([
      users.create({ username: 'ann' }),
      users.create({ username: 'ann' }),
    ])
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const ann = await users.login('ann')
    await assert.rejects(users.create({ username: 'bea' }), nobody)
    const bea = await users.create({ username: 'bea', by: ann })
    await assert.rejects(users.create({ username: 'cat', by: bea }), nobody)
    await assert.rejects(users.create({ username: '  ', by: ann }), nobody)
    assert.deepEqual(await users.list(), ['ann', 'bea'])
    await users.setStatus('bea', 'Disabled', ann)
    await assert.rejects(users.login('bea'), nobody)
    await assert.rejects(users.setStatus('ann', 'Locked', bea), nobody)
    assert.equal((await users.databases()).size, 2)
  })

  it('keys are listed oldest first, by name, and a database is made with any of them', async () => {
    const { instance, clock, users } = await world()
    await using _instance = instance
    const ann = await users.create({ username: 'ann' })
    clock.jump(5_000)
    const laptop = await ann.addKey('laptop')
    clock.jump(5_000)
    const phone = await ann.addKey('phone')
    assert.deepEqual(
      (await ann.keys()).map(({ key_id }) => key_id),
      [ann.rootKey, laptop, phone],
    )
    assert.equal(await ann.defaultKey(), ann.rootKey)
    assert.deepEqual(await ann.findKeys('phone'), [phone])
    const database = await ann.createDatabase({ keyId: laptop })
    assert.equal((await database.auth()).keys.get(laptop)?.permission.type, 'admin')
    assert.equal(await ann.keyMapping(laptop, database.id), 'public key')
    assert.equal(await ann.keyMapping(phone, database.id), undefined)
    assert.equal((await ann.openDatabase(database.id)).publicKey, laptop)
    await assert.rejects(ann.signingKey(alice.publicKey), refused('document/no-key'))
  })

  it('D-76 following keeps everything that was not asked to change, and needs a key that acts there', async () => {
    const { instance, users } = await world()
    await using _instance = instance
    const ann = await users.create({ username: 'ann' })
    const own = await ann.createDatabase({})
    assert.equal(await ann.isSyncEnabled(own.id), false)
    const settings: SyncSettings = { ...syncOnCommit, intervalSeconds: 60, properties: { colour: 'red' } }
    await ann.trackDatabase(own.id, ann.rootKey, settings)
    const before = await instance.read((view) => view.count(ann.databaseId))
    assert.equal(await ann.setSyncEnabled(own.id, true), false)
    assert.equal(await instance.read((view) => view.count(ann.databaseId)), before)
    assert.equal(await ann.setSyncEnabled(own.id, false), true)
    assert.deepEqual((await ann.databases())[0]!.sync_settings, { ...settings, syncEnabled: false })
    assert.equal(await ann.setSyncEnabled(own.id, true), true)
    assert.deepEqual((await ann.databases())[0]!.sync_settings, settings)

    const others = await instance.createDatabase({ key: alice })
    await assert.rejects(ann.setSyncEnabled(others.id, true), refused('document/not-found'))
    await assert.rejects(ann.trackDatabase(others.id, ann.rootKey, syncEnabled), refused('document/no-key'))
    await configure(others, (now) => now.setGlobal(grant('write:9')))
    await ann.trackDatabase(others.id, ann.rootKey, syncEnabled)
    assert.deepEqual(await ann.keyMapping(ann.rootKey, others.id), globalClaim(ann.rootKey))
    await put(await ann.openDatabase(others.id), 'k', 'global')
    assert.equal(await ann.untrackDatabase(others.id), true)
    assert.equal(await ann.untrackDatabase(others.id), false)
    await ann.mapKey(ann.rootKey, others.id, keyClaim(ann.rootKey))
    assert.equal(await ann.keyMapping(ann.rootKey, others.id), 'public key')
  })

  it('D-115 a database that is mapped and not here yet is pending, and opens when it came', async () => {
    await using elsewhere = await newInstance()
    const there = await elsewhere.createDatabase({ key: bob })
    const { instance, users } = await world()
    await using _instance = instance
    const ann = await users.create({ username: 'ann' })
    await assert.rejects(ann.openDatabase(there.id), refused('document/no-key'))
    await ann.mapKey(ann.rootKey, there.id)
    await assert.rejects(ann.openDatabase(there.id), refused('document/access-pending'))
    await configure(there, (settings) => settings.setKey(ann.rootKey, grant('write:1')))
    await copy(there, instance)
    await put(await ann.openDatabase(there.id), 'k', 'ann')
    assert.equal((await entriesOf(await instance.database(there.id))).length, 3)
  })

  it('the device may read what a user wants synced, and nothing more', async () => {
    const { instance, users } = await world()
    await using _instance = instance
    const ann = await users.create({ username: 'ann', password: 'x' })
    const database = await instance.database(ann.databaseId)
    assert.equal(await database.canAccess(instance.id, parsePermission('read')), true)
    assert.equal(await database.canAccess(instance.id, parsePermission('write:4294967295')), false)
  })
})

describe('wishes of several users', () => {
  it('D-75 anybody who wants it has it, at the shortest interval, with all properties', () => {
    const wish = (rest: Partial<SyncSettings>): SyncSettings => ({ ...syncEnabled, ...rest })
    assert.deepEqual(combineSyncSettings([]), syncDisabled)
    assert.deepEqual(
      combineSyncSettings([{ ...syncOnCommit, syncEnabled: false, intervalSeconds: 1 }]),
      syncDisabled,
    )
    assert.deepEqual(
      combineSyncSettings([
        wish({ intervalSeconds: 60, properties: { a: '1', b: '1' } }),
        wish({ syncOnCommit: true, properties: { b: '2' } }),
        wish({ intervalSeconds: 30 }),
        { ...syncOnCommit, syncEnabled: false, intervalSeconds: 1, properties: { c: '3' } },
      ]),
      { syncEnabled: true, syncOnCommit: true, intervalSeconds: 30, properties: { a: '1', b: '2' } },
    )
  })
})

describe('permissions', () => {
  it('D-46 any admin is above any writer above any reader, and smaller priorities are stronger', () => {
    const priority = fc.oneof(fc.constantFrom(0, 1, maxPriority - 1, maxPriority), fc.nat(maxPriority))
    fc.assert(
      fc.property(priority, priority, (a, b) => {
        const [admin, write] = [
          { type: 'admin', priority: a },
          { type: 'write', priority: b },
        ] as const
        assert.ok(rankOf(admin) > rankOf(write) && rankOf(write) > rankOf({ type: 'read' }))
        assert.equal(covers({ type: 'write', priority: a }, { type: 'write', priority: b }), a <= b)
        assert.equal(covers({ type: 'admin', priority: a }, { type: 'admin', priority: b }), a <= b)
        assert.deepEqual(parsePermission(formatPermission(admin)), admin)
        assert.ok(Number.isSafeInteger(rankOf(admin)))
      }),
    )
    for (const text of ['', 'write', 'admin:-1', 'write:4294967296', 'read:1', 'owner:1'])
      assert.throws(() => parsePermission(text), refused('document/bad-value'))
  })

  it('D-47 above the maximum is lowered, below the minimum raised, else nothing changes; a minimum above says nothing', () => {
    const p = parsePermission
    assert.deepEqual(clamp(p('admin:0'), { max: p('write:5') }), p('write:5'))
    assert.deepEqual(clamp(p('write:3'), { max: p('write:5') }), p('write:5'))
    assert.deepEqual(clamp(p('write:7'), { max: p('write:5') }), p('write:7'))
    assert.deepEqual(clamp(p('read'), { max: p('write:5'), min: p('write:9') }), p('write:9'))
    assert.deepEqual(clamp(p('write:8'), { max: p('write:5'), min: p('write:9') }), p('write:8'))
    assert.deepEqual(clamp(p('read'), { max: p('write:5'), min: p('admin:9') }), p('read'))
    assert.deepEqual(clamp(p('admin:1'), { max: p('write:5'), min: p('admin:9') }), p('write:5'))
    assert.deepEqual(narrow({ max: p('write:5') }, { max: p('admin:0'), min: p('read') }), {
      max: p('write:5'),
      min: p('read'),
    })
    assert.deepEqual(
      narrow({ max: p('admin:5'), min: p('write:9') }, { max: p('write:2'), min: p('write:7') }),
      {
        max: p('write:2'),
        min: p('write:7'),
      },
    )
  })
})
