import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { blake3 } from '../../src/planes/documents/entry/blake3.ts'
import type { Entry } from '../../src/planes/documents/entry/entry.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { entryToJson } from '../../src/planes/documents/entry/entry-json.ts'
import { type EntryId, entryIdOf, rawIdOf } from '../../src/planes/documents/entry/entry-id.ts'
import { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { keyClaim, noKey } from '../../src/planes/documents/entry/sig-key.ts'
import { transcript } from '../../src/planes/documents/entry/transcript.ts'
import { messageVectors, ticketVectors } from './document-messages.ts'

/** The key of every vector: 32 bytes of 01. */
export const vectorKey = KeyPair.fromSeed(new Uint8Array(32).fill(1))

export const vectorFile = new URL('documents.json', import.meta.url)

const utf8 = (text: string) => new Uint8Array(Buffer.from(text))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const raw = (text: string) => rawIdOf(utf8(text))
const entryId = (text: string) => entryIdOf(utf8(text))
const store = (name: string, parents: readonly EntryId[], data?: string, height?: number) => {
  return { name, parents, data: data === undefined ? undefined : utf8(data), height }
}

const unsigned: Entry = {
  root: undefined,
  parents: [],
  metadata: utf8('{"settings_tips":[],"entropy":7}'),
  height: 0,
  stores: [store('_root', [], '""'), store('_settings', [], '{"children":{"name":{"Text":"t"}}}')],
  sig: { signature: undefined, key: noKey },
}

const signed: Entry = {
  root: raw('tree_root'),
  parents: [raw('parent_a'), raw('parent_b')],
  metadata: undefined,
  height: 3,
  stores: [store('data', [raw('sub_parent')], '{"children":{"k":{"Int":1}}}', 300), store('idx', [])],
  sig: { signature: undefined, key: keyClaim(vectorKey.publicKey) },
}

const delegated: Entry = {
  root: entryId('root'),
  parents: [entryId('parent')],
  metadata: utf8(`{"settings_tips":["${entryId('settings')}"],"entropy":null}`),
  height: 2 ** 53 - 1,
  stores: [store('empty', [entryId('parent')], ''), store('größe', [], 'x'.repeat(300))],
  sig: {
    signature: undefined,
    key: {
      kind: 'delegation',
      path: [{ tree: entryId('other'), tips: [entryId('tip 0'), entryId('tip 1')] }],
      hint: { name: 'laptop' },
    },
  },
}

const global: Entry = {
  ...delegated,
  height: 24,
  stores: [],
  sig: { signature: undefined, key: { kind: 'direct', hint: { pubkey: vectorKey.publicKey, isGlobal: true } } },
}

function entryVector(name: string, draft: Entry, key?: KeyPair) {
  const { id, bytes, entry, signingBytes } = sealEntry(draft, key)
  return { name, id, bytes: hex(bytes), signingBytes: hex(signingBytes), json: entryToJson(entry) }
}

function requestVector() {
  const nonce = new Uint8Array(32).fill(9)
  const bytes = transcript('eidetica/sync/tree-request/v1', [
    vectorKey.publicKey,
    raw('tree_root'),
    1,
    raw('parent_a'),
    1_704_067_200_000,
    nonce,
  ])
  return { bytes: hex(bytes), blake3: hex(blake3(bytes)), signature: hex(vectorKey.sign(bytes)) }
}

/** Bytes that say the same as an entry, or nearly, and are refused. Each is a change to the vector `signed root`. */
function refusedVectors() {
  const { bytes } = sealEntry(signed, vectorKey)
  const text = hex(bytes)
  const swap = (from: string, to: string) => {
    if (text.split(from).length !== 2) throw new Error(`${from} is not there exactly once`)
    return text.replace(from, to)
  }
  const link = (name: string) => `d82a582500${hex(Uint8Array.of(1, 0x55, 0x1e, 0x20))}${hex(blake3(utf8(name)))}`
  return [
    { name: 'a byte after the end', bytes: `${text}00`, code: 'document/bad-encoding' },
    { name: 'a byte less at the end', bytes: text.slice(0, -2), code: 'document/bad-encoding' },
    { name: 'height in a longer form', bytes: swap('6168 03'.replace(' ', ''), '61681803'), code: 'document/bad-encoding' },
    { name: 'parents not sorted', bytes: swap(link('parent_b') + link('parent_a'), link('parent_a') + link('parent_b')), code: 'document/bad-encoding' },
    { name: 'a parent twice', bytes: swap(link('parent_b') + link('parent_a'), link('parent_b') + link('parent_b')), code: 'document/bad-encoding' },
    { name: 'an indefinite map', bytes: `bf${text.slice(2)}ff`, code: 'document/bad-encoding' },
    { name: 'an unknown key', bytes: `a4${text.slice(2, 2)}617a00${text.slice(2)}`, code: 'document/bad-encoding' },
    { name: 'version 1', bytes: `a4625f7601${text.slice(2)}`, code: 'document/bad-version' },
    { name: 'version 0 spelled out', bytes: `a4625f7600${text.slice(2)}`, code: 'document/bad-version' },
    { name: 'a million parents announced', bytes: swap(`67706172656e747382${link('parent_b')}`, `67706172656e74739a000f4240${link('parent_b')}`), code: 'document/too-large' },
  ]
}

export function generate() {
  return {
    secretKey: vectorKey.exportSecret(),
    publicKey: vectorKey.publicKey,
    rawIds: ['hello world', 'tree_root', 'parent_a', 'parent_b', 'sub_parent'].map((text) => ({ text, id: raw(text) })),
    entries: [
      entryVector('V1: unsigned root', unsigned),
      entryVector('V2: signed, two parents, two stores', signed, vectorKey),
      entryVector('delegated, largest height, empty data, names beyond ASCII', delegated, vectorKey),
      entryVector('global grant, no stores', global, vectorKey),
    ],
    refused: refusedVectors(),
    request: requestVector(),
    messages: messageVectors({ tree: entryId('root'), tip: entryId('tip 0'), entry: sealEntry(global, vectorKey).bytes }),
    tickets: ticketVectors(entryId('root')),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(vectorFile, `${JSON.stringify(generate(), undefined, 2)}\n`)
