import { blake3 } from '../../entry/blake3.ts'
import { type KeyPair, type PublicKey, parsePublicKey, verifySignature } from '../../entry/key-pair.ts'
import { transcript } from '../../entry/transcript.ts'
import type { RequestEnvelope } from './request.ts'
import type { ResponseEnvelope } from './response.ts'

export const protocolVersion = 1

const requestDomain = 'syncline/documents/request/v1'
const accessDomain = 'syncline/documents/access/v1'
const responseDomain = 'syncline/documents/response/v1'

type UnsignedRequest = Omit<RequestEnvelope, 'signature' | 'access'>

export interface RequestSigners {
  readonly device: KeyPair
  /** Whose permissions count; default: the device's. */
  readonly access?: KeyPair | undefined
}

/** Signs what is said, to whom, when: a request serves one responder, once. */
export function sealRequest(
  { device, access }: RequestSigners,
  request: Omit<UnsignedRequest, 'device'>,
): RequestEnvelope {
  const unsigned = { ...request, device: device.publicKey }
  const signature = device.sign(requestTranscript(requestDomain, unsigned))
  if (access === undefined || access.publicKey === device.publicKey) return { ...unsigned, signature }
  const second = access.sign(requestTranscript(accessDomain, unsigned))
  return { ...unsigned, signature, access: { key: access.publicKey, signature: second } }
}

/** Who is proven to have made a request. */
export interface Requester {
  readonly device: PublicKey
  /** The key whose permissions count. */
  readonly key: PublicKey
}

/** Undefined when a signature is not of the key it names. */
export function requesterOf(request: RequestEnvelope): Requester | undefined {
  const device = proven(request.device, requestTranscript(requestDomain, request), request.signature)
  const { access } = request
  if (device === undefined || access === undefined) return device && { device, key: device }
  const key = proven(access.key, requestTranscript(accessDomain, request), access.signature)
  return key && { device, key }
}

export function sealResponse(device: KeyPair, request: Uint8Array, body: Uint8Array): ResponseEnvelope {
  const signature = device.sign(responseTranscript(device.publicKey, request, body))
  return { version: protocolVersion, device: device.publicKey, body, signature }
}

/** The device that is proven to have answered this very request; undefined: none is. */
export function responderOf(request: Uint8Array, { device, body, signature }: ResponseEnvelope) {
  return proven(device, responseTranscript(device, request, body), signature)
}

function requestTranscript(domain: string, request: UnsignedRequest): Uint8Array {
  const { version, device, to, epoch, time, nonce, body } = request
  return transcript(domain, [version, device, to, epoch, time, nonce, blake3(body)])
}

/** Digests, because Ed25519 reads what it signs twice and slowly. */
function responseTranscript(device: string, request: Uint8Array, body: Uint8Array): Uint8Array {
  return transcript(responseDomain, [protocolVersion, device, blake3(request), blake3(body)])
}

function proven(text: string, bytes: Uint8Array, signature: Uint8Array): PublicKey | undefined {
  try {
    const key = parsePublicKey(text)
    return verifySignature(key, bytes, signature) ? key : undefined
  } catch {
    return undefined
  }
}
