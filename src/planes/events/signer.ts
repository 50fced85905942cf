import { randomBytes } from 'node:crypto'
import { isPrivate, signSchnorr, xOnlyPointFromScalar } from 'tiny-secp256k1'
import type { NostrEvent } from './event.ts'
import { eventId } from './event-id.ts'

/** What an author decides; the rest of an event follows from it. */
export type EventTemplate = Pick<NostrEvent, 'created_at' | 'kind' | 'tags' | 'content'>

/** Signs as one key. */
export interface Signer {
  /** 64 hex. */
  readonly pubkey: string
  /** The event with its id and a BIP-340 signature. Strings must be well-formed Unicode. */
  sign(template: EventTemplate): NostrEvent
}

export interface SignerOptions {
  /**
   * The 32 bytes BIP-340 mixes into the nonce. Default: fresh random ones for each signature, as the standard
   * recommends. Fixed ones make the same event have the same signature.
   */
  readonly auxiliary?: () => Uint8Array
}

/** A secret key, 64 hex. */
export function generateSecretKey(): string {
  for (;;) {
    const key = randomBytes(32)
    if (isPrivate(key)) return key.toString('hex')
  }
}

/**
 * @param secretKey 64 hex
 * @throws RangeError when it is no secret key of secp256k1
 */
export function createSigner(secretKey: string, options: SignerOptions = {}): Signer {
  const secret = Buffer.from(secretKey, 'hex')
  // The message leaves the key out: errors end up in logs.
  if (!/^[0-9a-f]{64}$/i.test(secretKey) || !isPrivate(secret))
    throw new RangeError('a secret key is 64 hex digits, not 0 and below the order of secp256k1')
  const { auxiliary = () => randomBytes(32) } = options
  const pubkey = hex(xOnlyPointFromScalar(secret))
  return {
    pubkey,
    sign({ created_at, kind, tags, content }) {
      const unsigned = { pubkey, created_at, kind, tags, content }
      const id = eventId(unsigned)
      return { id, ...unsigned, sig: hex(signSchnorr(Buffer.from(id, 'hex'), secret, auxiliary())) }
    },
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
