import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { blake3 } from '../../src/planes/documents/entry/blake3.ts'
import { openEntry } from '../../src/planes/documents/entry/entry-decoder.ts'
import { encodeEntry, signingBytesOf } from '../../src/planes/documents/entry/entry-encoder.ts'
import { rawIdOf } from '../../src/planes/documents/entry/entry-id.ts'
import { entryFromJson, entryToJson } from '../../src/planes/documents/entry/entry-json.ts'
import { type PublicKey, verifySignature } from '../../src/planes/documents/entry/key-pair.ts'
import { parseTicket } from '../../src/planes/documents/sync/ticket.ts'
import { requesterOf, responderOf } from '../../src/planes/documents/sync/wire/envelope.ts'
import { decodeMessage } from '../../src/planes/documents/sync/wire/message-codec.ts'
import {
  type RequestEnvelope,
  requestEnvelopeSchema,
  requestSchema,
} from '../../src/planes/documents/sync/wire/request.ts'
import {
  type ResponseEnvelope,
  responseEnvelopeSchema,
  responseSchema,
} from '../../src/planes/documents/sync/wire/response.ts'
import { messageKeys } from './document-messages.ts'
import { generate, vectorFile, vectorKey } from './documents.generate.ts'

const file: ReturnType<typeof generate> = JSON.parse(readFileSync(vectorFile, 'utf8'))
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

test('the published document vectors are what this implementation makes', () => {
  assert.deepEqual(file, JSON.parse(JSON.stringify(generate())))
})

/** From the specification, computed there by an independent implementation. */
test('D-10 ids, bytes and signatures are those of the specification', () => {
  assert.equal(file.publicKey, 'ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=')
  assert.deepEqual(
    file.rawIds.map(({ id }) => id),
    [
      'bafkr4igxjga67jykbseaxdmmdgc5a5o3zp3htom2l6mrjznk7fvyggu6eq',
      'bafkr4ieinzseaptiyl5wpk7n5pzie6zp4syfpk2duvfku4nshm56jad3ca',
      'bafkr4ihxjddxekbxyj4lryk3nmhnoaweurbvx3fsizevf2roshyxsgiirm',
      'bafkr4ibxgzhnxnv3354qygqsnbp4pwb2fjq6lqb4rrpc6i2mgrpo5eq7mu',
      'bafkr4ifnhdg773wfion2lcewd4hl4kyaqr6dgidtnnay6zc7ee5o42nfua',
    ],
  )
  const [v1, v2] = file.entries
  assert.equal(v1!.id, 'bafyr4iczw3yyafqeswybkiwk6opsfz4qokli7nxx35ig3htinvjdhi7unu')
  assert.equal(
    v1!.bytes,
    'a363736967a1636b6579a166446972656374a16468696e74a06474726565a267706172656e747380686d6574616461746158207b2273' +
      '657474696e67735f74697073223a5b5d2c22656e74726f7079223a377d68737562747265657382a36464617461422222646e616d6565' +
      '5f726f6f7467706172656e747380a3646461746158227b226368696c6472656e223a7b226e616d65223a7b2254657874223a2274227d' +
      '7d7d646e616d65695f73657474696e677367706172656e747380',
  )
  assert.equal(v2!.id, 'bafyr4ievl2sgdawf6xq6abqyxphtem3wr4ydbe55fzftqdkws3qi37rcuu')
  const signature = 'of1mXtunNVuc8KzhZ7yLZQJockZ22QFVxeDAUzWZGACpxFu3/xY+T8WR9yniXD7NQ2aIT0iYTRgLIrpg0gNMCw=='
  assert.equal((v2!.json as { sig: { sig: string } }).sig.sig, signature)
  assert.equal(file.request.bytes.length, 2 * 303)
  assert.equal(file.request.blake3, '2db4d0d52685ee6fe9de8000d81c20fbf382765dc709938aa8e968291145b37e')
  assert.equal(
    file.request.signature,
    'bb10d71c4a8a483d3beddedd6b7ad36297ef2a21a9db6f6e036303dd182a649bc0d8ef1b21622cfc6ff0f64567c4f27f629e58bf61b26fb61d9708eb270bbd0e',
  )
})

for (const { name, id, bytes, signingBytes, json } of file.entries)
  test(`D-4 ${name}: bytes, JSON, id and an independent DAG-CBOR agree`, () => {
    const sealed = openEntry(bytesOf(bytes))
    assert.equal(sealed.id, id)
    assert.deepEqual(sealed.signingBytes, bytesOf(signingBytes))
    assert.deepEqual(signingBytesOf(sealed.entry), bytesOf(signingBytes))
    assert.deepEqual(encodeEntry(sealed.entry), bytesOf(bytes))
    assert.deepEqual(JSON.parse(JSON.stringify(entryToJson(sealed.entry))), json)
    assert.deepEqual(entryFromJson(json).bytes, bytesOf(bytes))
    assert.deepEqual(new Uint8Array(dagCbor.encode(dagCbor.decode(bytesOf(bytes)))), bytesOf(bytes))
    const cid = CID.createV1(dagCbor.code, create(0x1e, blake3(bytesOf(bytes))))
    assert.equal(cid.toString(), id)
    const { signature } = sealed.entry.sig
    if (signature !== undefined)
      assert.ok(verifySignature(vectorKey.publicKey, bytesOf(signingBytes), Buffer.from(signature, 'base64')))
  })

for (const { name, bytes, code } of file.refused)
  test(`D-12 ${name} is refused`, () => {
    assert.throws(() => openEntry(bytesOf(bytes)), { name: 'DocumentError', code })
  })

const keyOf = (text: string) => text as PublicKey

for (const vector of file.messages)
  test(`the messages of ${vector.name}: an independent DAG-CBOR reads them, and each signature is over its transcript`, () => {
    const request = dagCbor.decode(bytesOf(vector.request)) as RequestEnvelope
    const answer = dagCbor.decode(bytesOf(vector.answer)) as ResponseEnvelope
    const again = [request, answer].map((value) => Buffer.from(dagCbor.encode(value)).toString('hex'))
    assert.deepEqual(again, [vector.request, vector.answer])
    assert.deepEqual([request.body, answer.body].map((bytes) => Buffer.from(bytes).toString('hex')), [
      vector.requestBody,
      vector.answerBody,
    ])
    const { requester, responder, member } = messageKeys
    assert.deepEqual([request.device, answer.device], [requester.publicKey, responder.publicKey])
    assert.ok(verifySignature(keyOf(request.device), bytesOf(vector.requestTranscript), request.signature))
    assert.ok(verifySignature(keyOf(answer.device), bytesOf(vector.answerTranscript), answer.signature))
    assert.equal(request.access === undefined, vector.accessTranscript === undefined)
    if (request.access !== undefined) {
      assert.equal(request.access.key, member.publicKey)
      const signed = bytesOf(vector.accessTranscript!)
      assert.ok(verifySignature(keyOf(request.access.key), signed, request.access.signature))
    }
    const read = decodeMessage(requestEnvelopeSchema, bytesOf(vector.request))!
    assert.equal(requesterOf(read)?.key, request.access?.key ?? request.device)
    assert.ok(decodeMessage(requestSchema, read.body) !== undefined)
    const reply = decodeMessage(responseEnvelopeSchema, bytesOf(vector.answer))!
    assert.equal(responderOf(bytesOf(vector.request), reply), responder.publicKey)
    assert.ok(decodeMessage(responseSchema, reply.body) !== undefined)
  })

test('D-117 tickets are read as they are written', () => {
  for (const { text, ...ticket } of file.tickets) assert.deepEqual(parseTicket(text), ticket)
})

test('raw ids are those of multiformats', () => {
  for (const { text, id } of file.rawIds) assert.equal(rawIdOf(Buffer.from(text)), id)
})
