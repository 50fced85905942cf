import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { assertStructure, compareNames, type Entry } from './entry.ts'
import { openEntry } from './entry-decoder.ts'
import { encodeEntry, sealEntry } from './entry-encoder.ts'
import {
  compareIds,
  digestOf,
  type EntryId,
  entryIdOf,
  idFromBytes,
  idToBytes,
  isEntryId,
  parseId,
  rawIdOf,
  sortedIds,
} from './entry-id.ts'
import { entryFromJson, entryToJson } from './entry-json.ts'
import { encodeMetadata, parseMetadata } from './entry-metadata.ts'
import { KeyPair, parsePublicKey, verifySignature } from './key-pair.ts'
import { keyClaim, noKey, type SigKey } from './sig-key.ts'
import { transcript } from './transcript.ts'

const id = (name: string | number) => entryIdOf(Buffer.from(`entry ${name}`))
const key = KeyPair.fromSeed(new Uint8Array(32).fill(7))
const refused = (code: string) => ({ name: 'DocumentError', code })

const base: Entry = {
  root: id('root'),
  parents: [id(1), id(2)],
  metadata: Buffer.from('{}'),
  height: 5,
  stores: [
    { name: 'a', parents: [id(3), id(4)], data: Buffer.from('x'), height: undefined },
    { name: 'b', parents: [], data: undefined, height: 9 },
  ],
  sig: { signature: undefined, key: noKey },
}

const anId = fc.nat(50).map(id)
const bytes = fc.uint8Array({ maxLength: 40 })
const anyName = fc.string({ minLength: 1, maxLength: 6, unit: 'binary' })
const height = fc.oneof(fc.nat(30), fc.maxSafeNat())
const hint = fc.oneof(
  fc.constant({ pubkey: key.publicKey }),
  fc.constant({ pubkey: key.publicKey, isGlobal: true }),
  anyName.map((name) => ({ name })),
)
const claim: fc.Arbitrary<SigKey> = fc.oneof(
  hint.map((hint): SigKey => ({ kind: 'direct', hint })),
  fc.record({
    kind: fc.constant('delegation' as const),
    hint,
    path: fc.array(fc.record({ tree: anId, tips: fc.array(anId, { maxLength: 3 }).map(sortedIds) }), {
      maxLength: 3,
    }),
  }),
)
const anEntry: fc.Arbitrary<Entry> = fc.record({
  root: anId,
  parents: fc.array(anId, { minLength: 1, maxLength: 5 }),
  metadata: fc.option(bytes, { nil: undefined }),
  height,
  stores: fc.uniqueArray(
    fc.record({
      name: anyName,
      parents: fc.array(anId, { maxLength: 3 }),
      data: fc.option(bytes, { nil: undefined }),
      height: fc.option(height, { nil: undefined }),
    }),
    { selector: ({ name }) => name, maxLength: 4 },
  ),
  sig: claim.map((key) => ({ signature: undefined, key })),
})

describe('ids', () => {
  it('D-13 sort by their bytes, also where their text sorts otherwise', () => {
    const ids = Array.from({ length: 400 }, (_, i) => id(i))
    const byBytes = ids.toSorted((a, b) => Buffer.compare(idToBytes(a), idToBytes(b)))
    assert.deepEqual(ids.toSorted(compareIds), byBytes)
    assert.notDeepEqual(ids.toSorted(), byBytes)
    const mixed = [id(1), rawIdOf(Buffer.from('x')), '' as EntryId, CID.parse(id(2)).toString(base58btc)].map(
      parseId,
    )
    assert.deepEqual(sortedIds(mixed).slice(0, 2), ['', rawIdOf(Buffer.from('x'))])
  })

  it('are read from any multibase and have one text form', () => {
    assert.equal(parseId(CID.parse(id(1)).toString(base58btc)), id(1))
    assert.deepEqual(idFromBytes(idToBytes(id(1))), id(1))
    const sha = parseId('bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')
    assert.equal(idFromBytes(idToBytes(sha)), sha)
    assert.equal(isEntryId(sha), false)
    assert.throws(() => digestOf(sha), refused('document/bad-id'))
    assert.throws(() => parseId('bafy?'), refused('document/bad-id'))
    // The last character carries bits that belong to no byte: with one of them set, it is not this id's text.
    const last = id(1).slice(-1)
    const next = 'abcdefghijklmnopqrstuvwxyz234567'['abcdefghijklmnopqrstuvwxyz234567'.indexOf(last) + 1]!
    assert.equal(isEntryId(id(1).slice(0, -1) + next), false)
  })
})

describe('entries', () => {
  it('D-1 D-3 the order in which parts are added, and duplicates, leave no trace', () => {
    const shuffled: Entry = {
      ...base,
      parents: [id(2), id(1), id(2)],
      stores: base.stores
        .toReversed()
        .map((store) => ({ ...store, parents: [...store.parents, ...store.parents] })),
    }
    const { id: name, entry } = sealEntry(shuffled)
    assert.equal(name, sealEntry(base).id)
    assert.deepEqual(entry.parents, sortedIds(base.parents))
    assert.deepEqual(
      entry.stores.map((store) => store.name),
      ['a', 'b'],
    )
  })

  const changes: Readonly<Record<string, Entry>> = {
    'a parent': { ...base, parents: [id(1), id(9)] },
    'a store parent': { ...base, stores: [{ ...base.stores[0]!, parents: [id(9)] }, base.stores[1]!] },
    'a payload byte': { ...base, stores: [{ ...base.stores[0]!, data: Buffer.from('y') }, base.stores[1]!] },
    'a payload that is empty instead of absent': {
      ...base,
      stores: [base.stores[0]!, { ...base.stores[1]!, data: new Uint8Array() }],
    },
    'a metadata byte': { ...base, metadata: Buffer.from('{ }') },
    'the height': { ...base, height: 6 },
    'a store height': { ...base, stores: [{ ...base.stores[0]!, height: 5 }, base.stores[1]!] },
    'the root': { ...base, root: id('other') },
  }
  for (const [name, changed] of Object.entries(changes))
    it(`D-2 D-11 ${name} changes the id and what is signed`, () => {
      const [before, after] = [sealEntry(base), sealEntry(changed)]
      assert.notEqual(after.id, before.id)
      assert.notDeepEqual(after.signingBytes, before.signingBytes)
    })

  it('D-2 D-11 the signature changes the id and not what is signed; the claim changes both', () => {
    const claimed = { ...base, sig: { signature: undefined, key: keyClaim(key.publicKey) } }
    const sealed = sealEntry(claimed, key)
    const other = {
      ...sealed.entry,
      sig: { ...sealed.entry.sig, signature: Buffer.alloc(64).toString('base64') },
    }
    assert.notEqual(sealEntry(other).id, sealed.id)
    assert.deepEqual(sealEntry(other).signingBytes, sealed.signingBytes)
    assert.notDeepEqual(sealed.signingBytes, sealEntry(base).signingBytes)
  })

  it('D-4 every entry survives its bytes and its JSON, and a plain DAG-CBOR codec agrees', () => {
    fc.assert(
      fc.property(anEntry, (draft) => {
        const sealed = sealEntry(draft, key)
        const opened = openEntry(sealed.bytes)
        assert.equal(opened.id, sealed.id)
        assert.deepEqual(encodeEntry(opened.entry), sealed.bytes)
        assert.deepEqual(opened.signingBytes, sealed.signingBytes)
        assert.deepEqual(new Uint8Array(dagCbor.encode(dagCbor.decode(sealed.bytes))), sealed.bytes)
        const json = JSON.parse(JSON.stringify(entryToJson(opened.entry)))
        assert.deepEqual(entryFromJson(json).bytes, sealed.bytes)
      }),
    )
  })

  it('D-12 what a changed byte leaves readable is another entry, never the same one twice', () => {
    fc.assert(
      fc.property(anEntry, fc.nat(), fc.integer({ min: 1, max: 255 }), (draft, at, flip) => {
        const { bytes, id: name } = sealEntry(draft, key)
        const changed = Uint8Array.from(bytes)
        changed[at % bytes.length]! ^= flip
        try {
          const opened = openEntry(changed)
          assert.deepEqual(encodeEntry(opened.entry), changed)
          assert.notEqual(opened.id, name)
        } catch (error) {
          assert.equal((error as Error).name, 'DocumentError', String(error))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('D-12 random bytes are refused with a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        assert.throws(() => openEntry(noise), { name: 'DocumentError' })
      }),
      { numRuns: 500 },
    )
  })

  it('D-5 metadata and data are byte strings of any length, and empty is not absent', () => {
    for (const length of [0, 5, 24, 300]) {
      const data = new Uint8Array(length).fill(65)
      const draft = { ...base, metadata: data, stores: [{ name: 'a', parents: [], data, height: undefined }] }
      const plain = dagCbor.decode(sealEntry(draft).bytes) as {
        tree: { metadata: Uint8Array }
        subtrees: [{ data: Uint8Array }]
      }
      assert.deepEqual(plain.tree.metadata, data)
      assert.deepEqual(plain.subtrees[0].data, data)
    }
    const absent = { ...base, stores: [{ ...base.stores[0]!, data: undefined }] }
    assert.equal(openEntry(sealEntry(absent).bytes).entry.stores[0]!.data, undefined)
  })

  it('D-6 height 0 and inherited heights are not encoded, others are plain integers', () => {
    const flat = (entry: Entry) =>
      dagCbor.decode(sealEntry(entry).bytes) as { tree: object; subtrees: object[] }
    assert.equal('h' in flat({ ...base, height: 0 }).tree, false)
    assert.equal((flat(base).tree as { h: number }).h, 5)
    const [a, b] = flat(base).subtrees
    assert.equal('h' in a!, false)
    assert.equal((b as { h: number }).h, 9)
  })

  it('D-7 a version is left out when 0 and refused otherwise', () => {
    const json = JSON.parse(JSON.stringify(entryToJson(sealEntry(base).entry)))
    assert.equal(entryFromJson({ ...json, _v: 0 }).id, sealEntry(base).id)
    assert.throws(() => entryFromJson({ ...json, _v: 1 }), refused('document/bad-encoding'))
  })

  it('names sort by their bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const expected = Buffer.compare(Buffer.from(a), Buffer.from(b))
        assert.equal(Math.sign(compareNames(a, b)), expected)
      }),
    )
  })

  it('costs nothing beyond its limits', () => {
    const limits = { maxEntryBytes: 400, maxParents: 2, maxStoresPerEntry: 1 }
    const all = { maxStores: 9, maxHeld: 9, maxFailed: 9, maxAheadMs: 0, ...limits }
    const one = { ...base, stores: [] }
    assert.ok(openEntry(sealEntry(one).bytes, all))
    const oversize = { ...one, metadata: new Uint8Array(400) }
    assert.throws(() => openEntry(sealEntry(oversize).bytes, all), refused('document/too-large'))
    const wide = { ...one, parents: [id(1), id(2), id(3)] }
    assert.throws(() => openEntry(sealEntry(wide).bytes, all), refused('document/too-large'))
    const many = { ...base, parents: [id(1)] }
    assert.throws(() => openEntry(sealEntry(many).bytes, all), refused('document/too-large'))
  })
})

describe('structure', () => {
  const root: Entry = {
    ...base,
    root: undefined,
    parents: [],
    stores: [{ name: '_root', parents: [], data: Buffer.from('""'), height: undefined }],
  }
  const signedBy = (signature: string | undefined, claim: SigKey): Entry => {
    return { ...base, sig: { signature, key: claim } }
  }
  const empty = '' as EntryId
  const cases: Readonly<Record<string, Entry>> = {
    'a root marker with parents': { ...root, parents: [id(1)] },
    'a root marker with a root': { ...root, root: id(1) },
    'neither root nor reference to one': { ...root, stores: [] },
    'no parents': { ...base, parents: [] },
    'an empty id as parent': { ...base, parents: [empty] },
    'an empty id as root': { ...base, root: empty },
    'an empty store name': { ...base, stores: [{ ...base.stores[0]!, name: '' }] },
    'an empty id as store parent': { ...base, stores: [{ ...base.stores[0]!, parents: [empty] }] },
    'a root with store parents': { ...root, stores: [{ ...root.stores[0]!, parents: [id(1)] }] },
    'a claim without a signature': signedBy(undefined, keyClaim(key.publicKey)),
    'a signature without a claim': signedBy('AAAA', noKey),
    'a delegation without a signature': signedBy(undefined, { kind: 'delegation', path: [], hint: {} }),
  }
  it('D-8 a root is a root, and everything else hangs on one', () => {
    assertStructure(root)
    assertStructure(base)
  })
  for (const [name, entry] of Object.entries(cases))
    it(`D-8 ${name} is refused`, () => {
      assert.throws(() => assertStructure(entry), refused('document/bad-structure'))
    })
})

describe('metadata', () => {
  it('holds the pin, and entropy that no number could', () => {
    const tips = sortedIds([id(1), id(2)])
    const encoded = encodeMetadata({ settingsTips: tips }, 2n ** 64n - 1n)
    assert.match(Buffer.from(encoded).toString(), /"entropy":18446744073709551615}$/)
    assert.deepEqual(parseMetadata(encoded), { settingsTips: tips })
    const none = Buffer.from(encodeMetadata({ settingsTips: [] })).toString()
    assert.equal(none, '{"settings_tips":[],"entropy":null}')
  })
  const [first, second] = sortedIds([id(1), id(2)])
  for (const text of [
    'x',
    'null',
    '{}',
    '{"settings_tips":7}',
    '{"settings_tips":[7]}',
    '{"settings_tips":["x"]}',
    `{"settings_tips":["${second}","${first}"]}`,
    `{"settings_tips":["${first}","${first}"]}`,
  ])
    it(`is refused as ${text.slice(0, 40)}`, () => {
      assert.throws(() => parseMetadata(Buffer.from(text)), refused('document/bad-metadata'))
    })
})

describe('keys', () => {
  it('sign the same way every time, and survive their text', () => {
    const again = KeyPair.fromSecret(key.exportSecret())
    assert.equal(again.publicKey, key.publicKey)
    const message = Buffer.from('message')
    assert.deepEqual(again.sign(message), key.sign(message))
    assert.equal(verifySignature(key.publicKey, message, key.sign(message)), true)
    assert.equal(verifySignature(key.publicKey, Buffer.from('massage'), key.sign(message)), false)
    assert.equal(verifySignature(key.publicKey, message, key.sign(message).subarray(1)), false)
    assert.equal(verifySignature(KeyPair.generate().publicKey, message, key.sign(message)), false)
  })
  for (const text of ['', 'ed25519:', 'ed25519:AAAA', `rsa:${key.publicKey.slice(8)}`, `${key.publicKey} `])
    it(`${JSON.stringify(text)} is no public key`, () => {
      assert.throws(() => parsePublicKey(text), refused('document/bad-key'))
    })

  it('D-120 what a transcript signs is never an entry', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (domain, field) => {
        const signed = transcript(domain, [field])
        assert.throws(() => openEntry(signed), refused('document/bad-encoding'))
        assert.equal(signed[0], 0)
      }),
    )
    assert.equal(sealEntry(base).signingBytes[0]! >> 5, 5)
  })
})
