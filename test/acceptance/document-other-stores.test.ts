import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Doc } from '../../src/planes/documents/crdt/doc.ts'
import { encodeDoc } from '../../src/planes/documents/crdt/doc-json.ts'
import { decrypt, encrypt, keyOfPassword, newSalt } from '../../src/planes/documents/crypto/password-key.ts'
import type { Database } from '../../src/planes/documents/database.ts'
import { storeNode } from '../../src/planes/documents/entry/entry.ts'
import { encryptedState } from '../../src/planes/documents/state/encrypted-state.ts'
import { docState } from '../../src/planes/documents/state/store-type.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import { docStore } from '../../src/planes/documents/stores/doc-store.ts'
import { passwordStore } from '../../src/planes/documents/stores/password-store.ts'
import { table } from '../../src/planes/documents/stores/table.ts'
import { yDoc } from '../../src/planes/documents/stores/y-doc.ts'
import { alice, refused } from '../helpers/document-keys.ts'
import { copy, entriesOf, newInstance, opened } from '../helpers/document-world.ts'

const secret = passwordStore(docStore)
const rows = table({ parse: (json) => json })
const wrong = refused('document/password')

describe('PasswordStore', () => {
  const write = (database: Database, key: string, value: string) =>
    database.transact(async (tx) => {
      const store = await tx.getStore('secret', secret)
      const inner =
        store.state === 'uninitialized' ? await store.initialize('hunter2') : await store.open('hunter2')
      inner.set(key, value)
    })
  const readAll = (database: Database) =>
    database.read(async (view) =>
      (await (await view.getStore('secret', secret)).open('hunter2')).getAll().toJson(),
    )

  it('D-38 the right password opens it and no other; nothing of it is written or saved in the clear', async () => {
    const storage = new MemoryDocumentStorage()
    await using instance = await newInstance({ storage })
    const database = await instance.createDatabase({ key: alice })
    const word = 'plaintext-marker'
    await write(database, 'k', word)
    await write(database, 'l', word)
    assert.deepEqual(await readAll(database), { k: word, l: word })
    await database.read(async (view) => {
      const store = await view.getStore('secret', secret)
      assert.equal(store.state, 'locked')
      assert.throws(() => store.inner, wrong)
      await assert.rejects(store.open('hunter3'), wrong)
      await assert.rejects(store.initialize('other'), wrong)
      await store.open('hunter2')
      assert.equal(store.state, 'unlocked')
      assert.equal(store.inner.get('k'), word)
      await assert.rejects(store.open('hunter2'), wrong)
    })
    const entries = await entriesOf(database)
    const payloads = entries.flatMap(({ entry }) => storeNode(entry, 'secret')?.data ?? [])
    assert.equal(payloads.length, 2)
    for (const { bytes } of entries) assert.equal(Buffer.from(bytes).includes(word), false)
    assert.notDeepEqual(payloads[0], payloads[1])
  })

  it('D-38 a saved state of it is encrypted, is read again, and is nobody’s without the key', () => {
    const [key, other] = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)]
    const type = encryptedState(docState, key)
    const payload = encrypt(key, encodeDoc(Doc.from({ k: 'plaintext-marker' })))
    const state = type.apply(type.empty(), payload, {})
    const saved = type.encode(state)
    assert.equal(Buffer.from(saved).includes('plaintext-marker'), false)
    assert.deepEqual(type.decode(saved).toJson(), { k: 'plaintext-marker' })
    const stranger = encryptedState(docState, other)
    assert.notEqual(stranger.name, type.name)
    assert.throws(() => stranger.decode(saved), wrong)
    assert.throws(() => stranger.apply(stranger.empty(), payload, {}), wrong)
  })

  it('D-38 equal plaintexts have different ciphertexts, and damage is noticed', () => {
    const key = new Uint8Array(32).fill(3)
    const [one, two] = [encrypt(key, Buffer.from('x')), encrypt(key, Buffer.from('x'))]
    assert.notDeepEqual(one, two)
    assert.equal(Buffer.from(decrypt(key, one)).toString(), 'x')
    one[13]! ^= 1
    assert.throws(() => decrypt(key, one), wrong)
    assert.throws(() => decrypt(key, new Uint8Array(5)), wrong)
    assert.throws(() => decrypt(new Uint8Array(32), two), wrong)
  })

  it('D-38 another inner kind, algorithm, salt, nonce or cost is refused', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await write(database, 'k', 'v')
    await database.read(async (view) => {
      const store = await view.getStore('secret', passwordStore(rows))
      await assert.rejects(store.open('hunter2'), refused('document/store-type'))
    })
    const { config } = await database.read(async (view) => (await view.index()).get('secret')!)
    const changes: Readonly<Record<string, string | number>> = {
      'encryption.algorithm': 'rot13',
      'encryption.kdf': 'md5',
      'encryption.salt': 'short',
      'encryption.argon2_m_cost': 2 ** 30,
      'encryption.argon2_t_cost': 0,
      'wrapped_config.nonce': 'AAAA',
      'wrapped_config.ciphertext': 'AAAA',
    }
    for (const [path, value] of Object.entries(changes)) {
      await database.transact(async (tx) => {
        const index = await tx.index()
        index.set('secret', { type: secret.type, config: new Doc(config.children).with(path, value) })
      })
      await database.read(async (view) => {
        await assert.rejects((await view.getStore('secret', secret)).open('hunter2'), wrong, path)
      })
    }
    await database.transact(async (tx) => (await tx.index()).set('secret', { type: secret.type, config }))
    assert.deepEqual(await readAll(database), { k: 'v' })
    await assert.rejects(keyOfPassword('', newSalt()), wrong)
  })

  it('D-39 peers converge on it through one that never has the password', async () => {
    await using first = await newInstance()
    await using relay = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    await write(here, 'a', '1')
    await copy(here, relay)
    await copy(await opened(relay, here.id), second)
    const there = await opened(second, here.id, alice)
    await write(here, 'b', '2')
    await write(there, 'c', '3')
    await copy(there, relay)
    await copy(here, relay)
    const between = await opened(relay, here.id)
    await copy(between, first)
    await copy(between, second)
    assert.deepEqual(await readAll(here), { a: '1', b: '2', c: '3' })
    assert.deepEqual(await readAll(there), await readAll(here))
    await between.read(async (view) => assert.equal((await view.getStore('secret', secret)).state, 'locked'))
  })
})

describe('YDoc', () => {
  const type = (database: Database, at: number, text: string) =>
    database.transact(async (tx) => {
      const doc = await tx.getStore('text', yDoc)
      doc.use((yjs) => yjs.getText('body').insert(at, text))
    })
  const read = (database: Database) =>
    database.read(async (view) =>
      (await view.getStore('text', yDoc)).use((yjs) => yjs.getText('body').toString()),
    )

  it('two peers edit one text at once, and both edits are in it everywhere', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    await type(here, 0, 'hello world')
    await copy(here, second)
    const there = await opened(second, here.id, alice)
    await type(here, 5, ' brave')
    await type(there, 11, '!')
    await copy(here, second)
    await copy(there, first)
    assert.equal(await read(here), 'hello brave world!')
    assert.equal(await read(there), 'hello brave world!')
    assert.equal(await read(await opened(second, here.id)), 'hello brave world!')
  })

  it('an entry carries what was changed, not the document', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await type(database, 0, 'x'.repeat(5_000))
    const { entry } = await database.entry(await type(database, 3, 'y'))
    const data = storeNode(entry, 'text')!.data!
    assert.ok(data.length < 100, `${data.length} bytes`)
    const unchanged = await database.entry(
      await database.transact(async (tx) => {
        const doc = await tx.getStore('text', yDoc)
        assert.equal(
          doc.use((yjs) => yjs.getText('body').length),
          5_001,
        )
      }),
    )
    assert.deepEqual(unchanged.entry.stores, [])
  })

  it('updates made elsewhere are taken over, bad ones refused, and a view changes nothing', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const Y = await import('yjs')
    const elsewhere = new Y.Doc()
    elsewhere.getText('body').insert(0, 'elsewhere')
    await database.transact(async (tx) => {
      const doc = await tx.getStore('text', yDoc)
      doc.applyUpdate(Y.encodeStateAsUpdate(elsewhere))
      assert.throws(() => doc.applyUpdate(Uint8Array.of(9, 9, 9)), refused('document/bad-value'))
    })
    assert.equal(await read(database), 'elsewhere')
    await database.read(async (view) => {
      const doc = await view.getStore('text', yDoc)
      assert.throws(() => doc.use((yjs) => yjs.getText('body').insert(0, 'x')), refused('document/read-only'))
      const copy = new Y.Doc()
      Y.applyUpdate(copy, doc.update())
      assert.equal(copy.getText('body').toString().endsWith('elsewhere'), true)
    })
    assert.equal(await read(database), 'elsewhere')
  })
})
