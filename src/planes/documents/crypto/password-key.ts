import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { argon2id } from 'hash-wasm'
import { DocumentError } from '../document-error.ts'

/** What Argon2id takes to make a key of a password. */
export interface KdfParameters {
  /** KiB. */
  readonly memory: number
  readonly iterations: number
  readonly parallelism: number
}

export const defaultKdf: KdfParameters = { memory: 19_456, iterations: 2, parallelism: 1 }

/** What somebody else's settings may make this machine spend. */
const maxKdf: KdfParameters = { memory: 262_144, iterations: 16, parallelism: 16 }

const keyBytes = 32
export const nonceBytes = 12
const tagBytes = 16

/** 16 random bytes as 22 characters of unpadded base64; the characters themselves are what is hashed. */
export function newSalt(): string {
  return randomBytes(16).toString('base64').replace(/=+$/, '')
}

/**
 * The key a password stands for: Argon2id 1.3, 32 bytes.
 *
 * @throws DocumentError `document/password` when the salt or the costs are out of range
 */
export async function keyOfPassword(
  password: string,
  salt: string,
  { memory, iterations, parallelism }: KdfParameters = defaultKdf,
): Promise<Uint8Array> {
  if (password === '') throw bad('an empty password protects nothing')
  if (!/^[A-Za-z0-9+/]{22}$/.test(salt)) throw bad('the salt is not 22 characters of base64')
  const within = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max
  if (
    !within(memory, maxKdf.memory) ||
    memory < 8 * parallelism ||
    !within(iterations, maxKdf.iterations) ||
    !within(parallelism, maxKdf.parallelism)
  )
    throw bad('the costs of its key derivation are out of range')
  return await argon2id({
    password,
    salt: Buffer.from(salt, 'ascii'),
    memorySize: memory,
    iterations,
    parallelism,
    hashLength: keyBytes,
    outputType: 'binary',
  })
}

/** AES-256-GCM under a fresh nonce: the nonce, then the ciphertext with its tag. */
export function encrypt(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws `document/password`: another key, or changed bytes. */
export function decrypt(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < nonceBytes + tagBytes) throw bad('what is encrypted is too short')
  const tagAt = sealed.length - tagBytes
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes))
  decipher.setAuthTag(sealed.subarray(tagAt))
  const plain = decipher.update(sealed.subarray(nonceBytes, tagAt))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch (cause) {
    throw new DocumentError('document/password', 'the password is wrong, or what it protects was damaged', {
      cause,
    })
  }
}

function bad(why: string): DocumentError {
  return new DocumentError('document/password', why)
}
