import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { owner, parsePermission } from '../../src/planes/documents/auth/permission.ts'
import { Doc } from '../../src/planes/documents/crdt/doc.ts'
import { encodeDoc } from '../../src/planes/documents/crdt/doc-json.ts'
import type { Entry, SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { encodeMetadata } from '../../src/planes/documents/entry/entry-metadata.ts'
import type { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { globalClaim, keyClaim, type SigKey } from '../../src/planes/documents/entry/sig-key.ts'
import { docStore } from '../../src/planes/documents/stores/doc-store.ts'
import type { SettingsStore } from '../../src/planes/documents/stores/settings-store.ts'
import {
  alice,
  as,
  bob,
  carol,
  configure,
  dave,
  denied,
  forge,
  grant,
  refused,
  withKeys,
} from '../helpers/document-keys.ts'
import {
  copy,
  entriesOf,
  give,
  keyNumber,
  kinds,
  newInstance,
  notes,
  opened,
  put,
} from '../helpers/document-world.ts'

describe('who may write', () => {
  it('D-43 an unprotected database takes unsigned entries until its first key comes, by an entry that key signs', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase()
    await put(database, 'k', 'anybody')
    const mine = await as(instance, database, bob)
    await configure(mine, (settings) => settings.setKey(bob.publicKey, grant(owner)))
    await assert.rejects(put(database, 'k', 'nobody'), refused('document/no-key'))
    await put(mine, 'k', 'bob')
    assert.deepEqual(await notes(database), { k: 'bob' })
    const unsigned = await forge(database, undefined, () => ({}))
    assert.deepEqual(await kinds(instance, unsigned), ['document/bad-signature'])
    await using other = await newInstance()
    assert.ok((await copy(database, other)).outcomes.every(({ kind }) => kind === 'verified'))
  })

  it('D-43 the first keys must be signed for by one of them that may set them all', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase()
    const mine = await as(instance, database, bob)
    const set = (key: KeyPair, permission: string) =>
      configure(mine, (settings) => settings.setKey(key.publicKey, grant(permission)))
    await assert.rejects(set(carol, 'admin:0'), denied)
    await assert.rejects(set(bob, 'write:0'), denied)
    await assert.rejects(
      configure(database, (settings) => settings.setKey(carol.publicKey, grant(owner))),
      refused('document/no-key'),
    )
    assert.equal(await database.count(), 1)
    await set(bob, 'admin:3')
  })

  it('D-44 auth can neither be deleted nor become something else, and the database stays usable', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    assert.throws(() => new Doc().with('', 1), refused('document/bad-path'))
    for (const settings of [
      new Doc().without('auth'),
      Doc.from({ auth: 'text' }),
      Doc.from({ auth: { keys: { nobody: 1 } } }),
      new Doc().without('auth.keys'),
      Doc.from({ free: 1 }, { atomic: true }),
    ]) {
      const parents = [database.id]
      const stores = [{ name: '_settings', parents, data: encodeDoc(settings), height: undefined }]
      const forged = await forge(database, alice, () => ({ stores }))
      const [code] = await kinds(instance, forged)
      assert.match(
        String(code),
        /^document\/(bad-settings|bad-key)$/,
        Buffer.from(encodeDoc(settings)).toString(),
      )
    }
    await assert.rejects(
      configure(database, (settings) => settings.set('auth', 1)),
      refused('document/store-reserved'),
    )
    await put(database, 'k', 'v')
  })

  it('D-45 writers write data, admins settings too, readers nothing', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [
      [bob, 'write:5'],
      [carol, 'read'],
      [dave, 'admin:5'],
    ])
    const rename = (name: string) => (settings: SettingsStore) => settings.setName(name)
    await put(await as(instance, database, bob), 'k', 'bob')
    await assert.rejects(configure(await as(instance, database, bob), rename('bob')), denied)
    await assert.rejects(put(await as(instance, database, carol), 'k', 'carol'), denied)
    await put(await as(instance, database, dave), 'k', 'dave')
    await configure(await as(instance, database, dave), rename('dave'))
    await assert.rejects(put(await as(instance, database, keyNumber(9)), 'k', 'stranger'), denied)
    assert.deepEqual(await notes(database), { k: 'dave' })
    assert.equal(await database.read(async (view) => (await view.settings()).name), 'dave')
  })

  it('D-48 an admin neither changes nor makes what is stronger, nor delegates more than it has, nor by hand', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [
      [bob, 'admin:5'],
      [carol, 'admin:5'],
      [dave, 'write:0'],
    ])
    const other = await instance.createDatabase({ key: dave })
    const mine = await as(instance, database, bob)
    const stronger: readonly ((settings: SettingsStore) => void)[] = [
      (settings) => settings.revokeKey(alice.publicKey),
      (settings) => settings.setKey(bob.publicKey, grant('admin:4')),
      (settings) => settings.setKey(keyNumber(9).publicKey, grant('admin:0')),
      (settings) => settings.setGlobal(grant('admin:4')),
      (settings) =>
        settings.addDelegation(other.id, { bounds: { max: parsePermission('admin:1') }, tips: [other.id] }),
    ]
    for (const change of stronger) await assert.rejects(configure(mine, change), denied)
    const keys = Doc.from({
      [alice.publicKey]: Doc.from({ permissions: { type: 'Read' }, status: 'Active' }, { atomic: true }),
    })
    const tips = await database.read(async (view) => view.tips)
    const stores = [
      {
        name: '_settings',
        parents: tips,
        data: encodeDoc(new Doc([['auth', new Doc([['keys', keys]])]])),
        height: undefined,
      },
    ]
    assert.deepEqual(await kinds(instance, await forge(database, bob, () => ({ stores }))), [
      'document/permission-denied',
    ])
    await configure(mine, (settings) => {
      settings.revokeKey(carol.publicKey)
      settings.setKey(dave.publicKey, grant('write:9'))
      settings.setKey(keyNumber(9).publicKey, grant('admin:6'))
      settings.addDelegation(other.id, { bounds: { max: parsePermission('admin:5') }, tips: [other.id] })
    })
    await assert.rejects(put(await as(instance, database, carol), 'k', 'v'), denied)
  })

  it('D-49 of several keys of one name, the one that signed counts, with what it may do', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [
      [bob, 'write:5', 'laptop'],
      [carol, 'read', 'laptop'],
      [dave, 'admin:5', 'laptop'],
    ])
    const claim: SigKey = { kind: 'direct', hint: { name: 'laptop' } }
    await put(await as(instance, database, bob, claim), 'k', 'bob')
    await assert.rejects(put(await as(instance, database, carol, claim), 'k', 'carol'), denied)
    await configure(await as(instance, database, dave, claim), (settings) => settings.setName('x'))
    await assert.rejects(
      put(await as(instance, database, keyNumber(9), claim), 'k', 'x'),
      refused('document/bad-signature'),
    )
    await assert.rejects(
      put(await as(instance, database, bob, { kind: 'direct', hint: { name: 'phone' } }), 'k', 'x'),
      denied,
    )
    await using other = await newInstance()
    assert.ok((await copy(database, other)).outcomes.every(({ kind }) => kind === 'verified'))
  })

  it('D-50 the global grant lets unlisted keys act under it, while it stands', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const stranger = await as(instance, database, bob, globalClaim(bob.publicKey))
    await assert.rejects(put(stranger, 'k', 'v'), denied)
    await configure(database, (settings) => settings.setGlobal(grant('write:10')))
    await put(stranger, 'k', 'v')
    await assert.rejects(put(await as(instance, database, bob), 'k', 'by key'), denied)
    await assert.rejects(
      configure(stranger, (settings) => settings.setName('x')),
      denied,
    )
    const [found, ...others] = await database.findClaims(bob.publicKey)
    assert.deepEqual(found, { claim: globalClaim(bob.publicKey), permission: parsePermission('write:10') })
    assert.deepEqual(others, [])
    assert.equal(await database.canAccess(bob.publicKey, parsePermission('write:15')), true)
    assert.equal(await database.canAccess(bob.publicKey, parsePermission('write:5')), false)
    await configure(database, (settings) => settings.setGlobal(grant('write:10', { status: 'revoked' })))
    await assert.rejects(put(stranger, 'k', 'w'), denied)
    assert.deepEqual(await notes(database), { k: 'v' })
  })

  it('a handle that claims a key it has not cannot even write locally', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const impostor = await as(instance, database, bob, keyClaim(alice.publicKey))
    await assert.rejects(put(impostor, 'k', 'v'), refused('document/bad-signature'))
  })
})

describe('how entries are judged', () => {
  it('D-54 by the settings they pin: later grants and revocations change nothing about older entries', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [[bob, 'write:5']])
    const mine = await as(instance, database, bob)
    await put(mine, 'k', 'bob')
    await configure(database, (settings) => settings.revokeKey(bob.publicKey))
    await assert.rejects(put(mine, 'k', 'late'), denied)
    await using other = await newInstance()
    assert.ok((await copy(database, other)).outcomes.every(({ kind }) => kind === 'verified'))
    assert.deepEqual(await notes(await opened(other, database.id)), { k: 'bob' })
    await configure(database, (settings) => settings.setKey(bob.publicKey, grant('write:5')))
    await put(mine, 'k', 'again')
    assert.deepEqual(await notes(database), { k: 'again' })
    const early = await forge(database, carol, () => ({}))
    assert.deepEqual(await kinds(instance, early), ['document/permission-denied'])
    await configure(database, (settings) => settings.setKey(carol.publicKey, grant('write:5')))
    await using later = await newInstance()
    await copy(database, later)
    assert.deepEqual(await kinds(later, early), ['document/permission-denied'], 'a later grant heals nothing')
  })

  it('D-51 an entry changed after it was signed is refused, whatever was changed', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [[bob, 'write:5']])
    const before = await put(database, 'k', 'u')
    await put(database, 'fork', '1', [before])
    await put(database, 'fork', '2', [before])
    const id = await put(database, 'k', 'v')
    const { entry } = await database.entry(id)
    assert.equal(entry.parents.length, 2)
    await using other = await newInstance()
    const entries = await entriesOf(database)
    await give(other, ...entries.slice(0, -1))
    const [notesNode] = entry.stores.filter(({ name }) => name === 'notes')
    const changes: Readonly<Record<string, Partial<Entry>>> = {
      claim: { sig: { ...entry.sig, key: keyClaim(bob.publicKey) } },
      payload: {
        stores: entry.stores.map((node) =>
          node === notesNode ? { ...node, data: Buffer.from('{"children":{}}') } : node,
        ),
      },
      parents: { parents: entry.parents.slice(0, -1) },
      'store parents': { stores: entry.stores.map((node) => ({ ...node, parents: node.parents.slice(1) })) },
      'the height': { height: entry.height + 1 },
      metadata: { metadata: Buffer.from(`${Buffer.from(entry.metadata!).toString()} `) },
      signature: { sig: { ...entry.sig, signature: Buffer.alloc(64, 7).toString('base64') } },
      'text of the signature': { sig: { ...entry.sig, signature: entry.sig.signature!.replace(/=+$/, '') } },
    }
    for (const [name, change] of Object.entries(changes))
      assert.deepEqual(
        await kinds(other, sealEntry({ ...entry, ...change })),
        ['document/bad-signature'],
        name,
      )
    assert.deepEqual(await kinds(other, sealEntry(entry)), ['verified'])
  })

  it('D-60 an empty pin does not unlock a protected database, nor do settings an entry brings itself', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const metadata = encodeMetadata({ settingsTips: [] })
    const own = encodeDoc(
      Doc.from({
        auth: {
          keys: {
            [bob.publicKey]: Doc.from(
              { permissions: { type: 'Admin', priority: 0 }, status: 'Active' },
              { atomic: true },
            ),
          },
        },
      }),
    )
    const stores = [{ name: '_settings', parents: [], data: own, height: undefined }]
    assert.deepEqual(
      await kinds(
        instance,
        await forge(database, undefined, () => ({ metadata })),
        await forge(database, bob, () => ({ metadata, stores })),
        await forge(database, bob, () => ({ stores })),
      ),
      ['document/bad-pin', 'document/bad-pin', 'document/bad-parents'],
    )
    assert.deepEqual(
      await kinds(instance, await forge(database, alice, () => ({ metadata: Buffer.from('?') }))),
      ['document/bad-metadata'],
    )
  })

  it('D-61 a pin that is not the settings as of the entry’s own parents is refused', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [[bob, 'write:5']])
    const before = await database.tips()
    await configure(database, (settings) => settings.revokeKey(bob.publicKey))
    const metadata = encodeMetadata({ settingsTips: before })
    assert.deepEqual(await kinds(instance, await forge(database, bob, () => ({ metadata }))), [
      'document/bad-pin',
    ])
    const root = encodeMetadata({ settingsTips: [database.id] })
    assert.deepEqual(await kinds(instance, await forge(database, alice, () => ({ metadata: root }))), [
      'document/bad-pin',
    ])
  })

  it('D-62 a height that is not that of its parents is refused, so none wins by claiming a huge one', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const forged = await Promise.all(
      [0, 1, 2 ** 53 - 1].map((height) => forge(database, alice, () => ({ height }))),
    )
    assert.deepEqual(await kinds(instance, ...forged), [
      'document/bad-height',
      'document/bad-height',
      'document/bad-height',
    ])
    const store = (height: number | undefined) => [{ name: 'x', parents: [], data: undefined, height }]
    assert.deepEqual(await kinds(instance, await forge(database, alice, () => ({ stores: store(9) }))), [
      'document/bad-height',
    ])
    assert.deepEqual(
      await kinds(instance, await forge(database, alice, () => ({ stores: store(undefined) }))),
      ['verified'],
    )
  })

  it('D-17 store parents that are not the store’s tips there are refused', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const first = await put(database, 'k', '1')
    const second = await put(database, 'k', '2')
    const on = (parents: SealedEntry['id'][]) =>
      forge(database, alice, () => ({
        stores: [{ name: 'notes', parents, data: undefined, height: undefined }],
      }))
    const bad = [await on([]), await on([first]), await on([database.id])]
    assert.deepEqual(await kinds(instance, ...bad), Array(3).fill('document/bad-parents'))
    assert.deepEqual(await kinds(instance, await on([second])), ['verified'])
  })

  it('D-56 what builds on a refused entry is refused, also beside good parents, held or not', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const bad = await forge(database, bob, () => ({}))
    const tip = await database.tips()
    const child = sealEntry(
      {
        ...(await forge(database, alice, () => ({}))).entry,
        parents: [...tip, bad.id],
        height: bad.entry.height + 1,
      },
      alice,
    )
    const grandchild = sealEntry(
      { ...child.entry, parents: [child.id], height: child.entry.height + 1 },
      alice,
    )
    assert.deepEqual(await kinds(instance, grandchild, child), ['held', 'held'])
    assert.deepEqual(await kinds(instance, bad), ['document/permission-denied'])
    const status = (entry: SealedEntry) => instance.read((view) => view.status(entry.id))
    assert.deepEqual(
      [await status(child), await status(grandchild), await status(bad)],
      ['failed', 'failed', undefined],
    )
    assert.deepEqual(await kinds(instance, child), ['duplicate'])
    const later = sealEntry(
      { ...child.entry, metadata: child.entry.metadata, parents: [bad.id], height: child.entry.height },
      alice,
    )
    assert.deepEqual(await kinds(instance, later), ['document/parent-refused'])
    assert.deepEqual(await database.tips(), tip)
  })

  it('D-55 D-56 an entry with a missing parent stays held, and is judged when it comes', async () => {
    await using writer = await newInstance()
    const database = await withKeys(writer, [[bob, 'write:1']])
    await put(await as(writer, database, bob), 'k', 'v')
    const entries = await entriesOf(database)
    await using reader = await newInstance()
    assert.deepEqual(await kinds(reader, entries[0]!, entries[2]!), ['verified', 'held'])
    const again = await (await opened(reader, database.id)).verify()
    assert.deepEqual([again.released, again.failed], [[], []])
    assert.deepEqual(await kinds(reader, entries[1]!), ['verified'])
    assert.deepEqual(await notes(await opened(reader, database.id)), { k: 'v' })
    const settled = await (await opened(reader, database.id)).verify()
    assert.deepEqual([settled.released, settled.failed, settled.advances], [[], [], []])
  })

  it('an entry of another database is refused where one was asked for, and one of no known database always', async () => {
    await using writer = await newInstance()
    const [one, two] = [
      await writer.createDatabase({ key: alice }),
      await writer.createDatabase({ key: alice }),
    ]
    await put(two, 'k', 'v')
    const [root, child] = await entriesOf(two)
    await using reader = await newInstance()
    await copy(one, reader)
    const outcome = async (entry: SealedEntry, only?: typeof one.id) => {
      const { outcomes } = await reader.ingest([entry.bytes], only)
      return outcomes[0]?.kind === 'refused' ? outcomes[0].code : outcomes[0]?.kind
    }
    assert.equal(await outcome(child!), 'document/unknown-database')
    assert.equal(await outcome(root!, one.id), 'document/foreign')
    assert.equal(await outcome(child!, one.id), 'document/foreign')
    assert.equal(await outcome(root!, two.id), 'verified')
    const crossing = sealEntry({ ...child!.entry, parents: [one.id] }, alice)
    assert.equal(await outcome(crossing), 'document/foreign')
  })

  it('D-37 an entry that registers a store takes part in it', async () => {
    await using instance = await newInstance()
    const database = await withKeys(instance, [])
    const data = encodeDoc(Doc.from({ x: { type: 'docstore:v0', config: {} } }))
    const index = { name: '_index', parents: [], data, height: undefined }
    const part = { name: 'x', parents: [], data: undefined, height: undefined }
    assert.deepEqual(
      await kinds(
        instance,
        await forge(database, alice, () => ({ stores: [index] })),
        await forge(database, alice, () => ({ stores: [index, part] })),
      ),
      ['document/bad-structure', 'verified'],
    )
    await database.read(async (view) => assert.equal((await view.index()).get('x')?.type, docStore.type))
  })
})
