import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { nip77 } from 'nostr-tools'
import { ReferenceResponder } from '../../bench/reconcile/reference-responder.ts'
import { decodeHex, encodeHex, ItemVector, NegentropyError, Responder } from '../../src/negentropy/index.ts'
import {
  generate,
  idsVector,
  keysOf,
  messageVector,
  type SetRule,
  type VectorFile,
} from './negentropy.generate.ts'

const file: VectorFile = JSON.parse(readFileSync(new URL('negentropy.json', import.meta.url), 'utf8'))

test('the published negentropy vectors are what this implementation sends', () => {
  assert.deepEqual(file, generate())
})

test('the published malformed messages are refused, other versions answered with ours', () => {
  const set = ItemVector.from(keysOf(file.malformed.set))
  for (const { name, hex } of file.malformed.messages)
    assert.throws(
      () => new Responder(set).step(decodeHex(hex)),
      (error) => error instanceof NegentropyError && error.code === 'negentropy/malformed',
      name,
    )
  for (const hex of file.otherVersions)
    assert.equal(encodeHex(new Responder(set).step(decodeHex(hex)).reply), '61')
})

function storageOf(rule: SetRule): nip77.NegentropyStorageVector {
  const storage = new nip77.NegentropyStorageVector()
  for (const { timestamp, id } of keysOf(rule)) storage.insert(timestamp, id)
  storage.seal()
  return storage
}

function itemsOf(rule: SetRule) {
  const { timestamps, ids } = ItemVector.from(keysOf(rule)).columns
  return Array.from(timestamps, (timestamp, i) => ({ timestamp, id: ids.subarray(32 * i, 32 * i + 32) }))
}

/** What both can do: nostr-tools corrupts timestamps from 2^31 on, and the scanning responder knows no limits. */
const shared = file.sessions.filter(
  ({ initiator, initiatorLimit, responderLimit }) =>
    initiator.start < 2 ** 31 - 1000 && initiatorLimit === 0 && responderLimit === 0,
)

test('two independent implementations exchange the published messages byte for byte', () => {
  assert.ok(shared.length >= 14)
  for (const vector of shared) {
    const initiator = new nip77.Negentropy(storageOf(vector.initiator), Number.MAX_SAFE_INTEGER)
    const responder = new ReferenceResponder(itemsOf(vector.responder))
    const messages = []
    const have: string[] = []
    const need: string[] = []
    for (let hex: string | null = initiator.initiate(); hex !== null; ) {
      const answer: Uint8Array = responder.reply(decodeHex(hex))
      messages.push(messageVector(decodeHex(hex)), messageVector(answer))
      hex = initiator.reconcile(
        encodeHex(answer),
        (id) => have.push(id),
        (id) => need.push(id),
      )
    }
    assert.deepEqual(messages, vector.messages, vector.name)
    assert.deepEqual(idsVector(have), vector.have, vector.name)
    assert.deepEqual(idsVector(need), vector.need, vector.name)
  }
})
