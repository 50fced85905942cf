import { blake3 } from '../../src/planes/documents/entry/blake3.ts'
import type { DatabaseId, EntryId } from '../../src/planes/documents/entry/entry-id.ts'
import { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { transcript } from '../../src/planes/documents/entry/transcript.ts'
import { sealRequest, sealResponse } from '../../src/planes/documents/sync/wire/envelope.ts'
import { encodeMessage } from '../../src/planes/documents/sync/wire/message-codec.ts'
import {
  type RequestEnvelope,
  requestEnvelopeSchema,
  requestSchema,
  type SyncRequest,
} from '../../src/planes/documents/sync/wire/request.ts'
import {
  responseEnvelopeSchema,
  responseSchema,
  type SyncResponse,
} from '../../src/planes/documents/sync/wire/response.ts'
import { type DatabaseTicket, formatTicket } from '../../src/planes/documents/sync/ticket.ts'

/** Who asks, who answers, and the key whose permissions count where that is not the device's: seeds of 01, 02, 03. */
const [requester, responder, member] = [1, 2, 3].map((n) => KeyPair.fromSeed(new Uint8Array(32).fill(n))) as [
  KeyPair,
  KeyPair,
  KeyPair,
]
export const messageKeys = { requester, responder, member }

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const epoch = new Uint8Array(16).fill(0xee)
const nonce = new Uint8Array(32).fill(9)
const time = 1_704_067_200_000

export interface WireIds {
  readonly tree: DatabaseId
  readonly tip: EntryId
  readonly entry: Uint8Array
}

export function messageVectors(ids: WireIds) {
  const { tree, tip, entry } = ids
  const hello = { to: '', epoch: new Uint8Array(0), time: 0 }
  const bound = { to: responder.publicKey, epoch, time }
  const sync: SyncRequest = {
    type: 'sync',
    tree,
    tips: [tip],
    entries: [entry],
    addresses: [{ type: 'http', address: '192.0.2.1:7777' }],
  }
  const page: SyncRequest = { type: 'sync', tree, tips: [], after: { height: 3, id: tip } }
  const wish: SyncRequest = {
    type: 'access',
    tree,
    name: 'laptop',
    permission: { type: 'write', priority: 10 },
    metadata: Buffer.from('please'),
  }
  const reconcile: SyncRequest = { type: 'reconcile', tree, message: Uint8Array.of(0x61) }
  const taken: SyncResponse = {
    type: 'sync',
    known: true,
    tips: [tip],
    entries: [entry],
    next: { height: 3, id: tip },
    refused: [{ id: tip, code: 'document/bad-height' }],
    missing: [tree],
  }
  const refusal: SyncResponse = { type: 'error', code: 'not-found', message: 'there is no such database here' }
  return [
    exchange('hello', hello, { type: 'hello' }, { type: 'hello', epoch, time, name: 'a node' }),
    exchange('trees', bound, { type: 'trees' }, { type: 'trees', trees: [{ tree, tips: [tip] }] }),
    exchange('sync, with an entry and an address, by another key', bound, sync, taken, member),
    exchange('sync, a further page, refused', bound, page, refusal),
    exchange('reconcile', bound, reconcile, { type: 'reconcile', message: Uint8Array.of(0x61, 0) }),
    exchange('access', bound, wish, { type: 'access', status: 'pending', request: 'r1' }, member),
  ]
}

function exchange(
  name: string,
  to: Pick<RequestEnvelope, 'to' | 'epoch' | 'time'>,
  request: SyncRequest,
  answer: SyncResponse,
  access?: KeyPair,
) {
  const body = encodeMessage(requestSchema, request)
  const envelope = sealRequest({ device: requester, access }, { ...to, version: 1, nonce, body })
  const message = encodeMessage(requestEnvelopeSchema, envelope)
  const answerBody = encodeMessage(responseSchema, answer)
  const reply = encodeMessage(responseEnvelopeSchema, sealResponse(responder, message, answerBody))
  // Spelled out, and not by the code that signs: so that the two can be compared.
  const fields = [1, requester.publicKey, to.to, to.epoch, to.time, nonce, blake3(body)]
  return {
    name,
    requestBody: hex(body),
    requestTranscript: hex(transcript('syncline/documents/request/v1', fields)),
    accessTranscript: access && hex(transcript('syncline/documents/access/v1', fields)),
    request: hex(message),
    answerBody: hex(answerBody),
    answerTranscript: hex(
      transcript('syncline/documents/response/v1', [1, responder.publicKey, blake3(message), blake3(answerBody)]),
    ),
    answer: hex(reply),
  }
}

export function ticketVectors(database: DatabaseId) {
  const http = { type: 'http', address: '192.0.2.1:7777' }
  const tickets: readonly DatabaseTicket[] = [
    { database, addresses: [] },
    { database, addresses: [http], peer: responder.publicKey },
    { database, addresses: [{ type: 'iroh', address: 'a&b=c#d+e%f g' }, http, http] },
  ]
  return tickets.map((ticket) => ({ ...ticket, text: formatTicket(ticket) }))
}
