import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { DocumentError } from '../document-error.ts'

/** `ed25519:<base64 of 32 bytes>`, standard alphabet, padded. */
export type PublicKey = string & { readonly __publicKey: never }

const scheme = 'ed25519:'
const keyBytes = 32
export const signatureBytes = 64

/** DER before the 32 bytes of a key: RFC 8410, SubjectPublicKeyInfo and PKCS #8. */
const spki = Buffer.from('302a300506032b6570032100', 'hex')
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** An Ed25519 key that can sign. The secret leaves it only through `exportSecret`. */
export class KeyPair {
  readonly publicKey: PublicKey
  readonly #private: KeyObject

  private constructor(key: KeyObject) {
    this.#private = key
    const der = createPublicKey(key).export({ format: 'der', type: 'spki' })
    this.publicKey = publicKeyText(der.subarray(spki.length))
  }

  static generate(): KeyPair {
    return new KeyPair(generateKeyPairSync('ed25519').privateKey)
  }

  /** @param seed 32 bytes */
  static fromSeed(seed: Uint8Array): KeyPair {
    if (seed.length !== keyBytes) throw badKey(`a private key has ${keyBytes} bytes, not ${seed.length}`)
    const der = Buffer.concat([pkcs8, seed])
    return new KeyPair(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  }

  /** Reads what `exportSecret` wrote. */
  static fromSecret(text: string): KeyPair {
    return KeyPair.fromSeed(keyBytesOf(text, 'private'))
  }

  /** 64 bytes; the same for the same bytes every time. */
  sign(bytes: Uint8Array): Uint8Array {
    return signBytes(null, bytes, this.#private)
  }

  /** `ed25519:<base64 of the seed>`. Whoever has it is this key. */
  exportSecret(): string {
    const der = this.#private.export({ format: 'der', type: 'pkcs8' })
    return scheme + der.subarray(pkcs8.length).toString('base64')
  }
}

function publicKeyText(bytes: Uint8Array): PublicKey {
  if (bytes.length !== keyBytes) throw badKey(`a public key has ${keyBytes} bytes, not ${bytes.length}`)
  return (scheme + Buffer.from(bytes.buffer, bytes.byteOffset, keyBytes).toString('base64')) as PublicKey
}

/** Throws `document/bad-key` unless it is the one text form of 32 bytes. */
export function parsePublicKey(text: string): PublicKey {
  keyBytesOf(text, 'public')
  return text as PublicKey
}

/** The 32 bytes of a public key. */
export function publicKeyBytes(key: PublicKey): Buffer {
  return keyBytesOf(key, 'public')
}

/** False for a key that is no point of the curve, a signature of another length, anything that does not verify. */
export function verifySignature(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return new PublicKeyCache(1).verify(publicKeyBytes(key), bytes, signature)
}

/** Imported keys; importing one takes some 6 µs, and few keys sign most entries. */
export class PublicKeyCache {
  readonly #max: number
  readonly #keys = new Map<string, KeyObject | undefined>()

  constructor(max = 10_000) {
    this.#max = max
  }

  /** @param key 32 bytes */
  verify(key: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
    const imported = this.#import(key)
    return (
      imported !== undefined &&
      signature.length === signatureBytes &&
      !hasSmallOrder(signature.subarray(0, keyBytes)) &&
      verifyBytes(null, bytes, imported, signature)
    )
  }

  #import(bytes: Uint8Array): KeyObject | undefined {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    if (this.#keys.has(name)) return this.#keys.get(name)
    if (this.#keys.size >= this.#max) this.#keys.clear()
    const key = importPublic(bytes)
    this.#keys.set(name, key)
    return key
  }
}

function importPublic(bytes: Uint8Array): KeyObject | undefined {
  if (bytes.length !== keyBytes || hasSmallOrder(bytes)) return undefined
  try {
    return createPublicKey({ key: Buffer.concat([spki, bytes]), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/**
 * Points of small order, by y, also where it is not reduced. A signature with one fits many messages, and verifiers
 * disagree about them; strict ones refuse them, and so must all replicas.
 */
const smallOrder: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

/** The sign bit says nothing about the order. */
function hasSmallOrder(point: Uint8Array): boolean {
  const last = point[keyBytes - 1]! & 0x7f
  // Most points are told by their last byte.
  if (last !== 0 && last !== 0x05 && last !== 0x7a && last !== 0x7f) return false
  const hex = Buffer.from(point).toString('hex', 0, keyBytes - 1)
  return smallOrder.has(hex + last.toString(16).padStart(2, '0'))
}

function keyBytesOf(text: string, kind: 'public' | 'private'): Buffer {
  const bytes = Buffer.from(text.startsWith(scheme) ? text.slice(scheme.length) : '', 'base64')
  // Node's decoder skips what it does not know; only the canonical text may name a key.
  if (bytes.length !== keyBytes || scheme + bytes.toString('base64') !== text)
    throw badKey(`a ${kind} key is written ed25519:<base64 of ${keyBytes} bytes>`)
  return bytes
}

function badKey(message: string): DocumentError {
  return new DocumentError('document/bad-key', message)
}
