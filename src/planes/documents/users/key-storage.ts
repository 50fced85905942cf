import { z } from 'zod'
import { decrypt, encrypt, keyOfPassword, nonceBytes } from '../crypto/password-key.ts'
import { DocumentError } from '../document-error.ts'
import { KeyPair } from '../entry/key-pair.ts'

const bytes = z.array(z.number().int().min(0).max(255))

/** A private key as it is kept: under a password, or open to whoever reads the database it is in. */
export const keyStorageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('encrypted'),
    algorithm: z.literal('aes-256-gcm'),
    ciphertext: bytes,
    nonce: bytes.length(nonceBytes),
  }),
  z.object({ type: z.literal('unencrypted'), key: z.string() }),
])

export type KeyStorage = z.infer<typeof keyStorageSchema>

/** The key a user's private keys are under: derived from the password once per login. Undefined: there is none. */
export type UserSecret = Uint8Array | undefined

export async function userSecret(
  password: string | undefined,
  salt: string | undefined,
): Promise<UserSecret> {
  if (password === undefined && salt === undefined) return undefined
  if (password === undefined) throw new DocumentError('document/password', 'the user has a password; give it')
  if (salt === undefined) throw new DocumentError('document/password', 'the user has no password; give none')
  return await keyOfPassword(password, salt)
}

export function storeKey(key: KeyPair, secret: UserSecret): KeyStorage {
  const text = key.exportSecret()
  if (secret === undefined) return { type: 'unencrypted', key: text }
  const sealed = encrypt(secret, Buffer.from(text))
  return {
    type: 'encrypted',
    algorithm: 'aes-256-gcm',
    ciphertext: [...sealed.subarray(nonceBytes)],
    nonce: [...sealed.subarray(0, nonceBytes)],
  }
}

/** Throws `document/password` when the secret is not the one it was stored under. */
export function loadKey(storage: KeyStorage, secret: UserSecret): KeyPair {
  if (storage.type === 'unencrypted') return KeyPair.fromSecret(storage.key)
  if (secret === undefined) throw new DocumentError('document/password', 'the key is protected by a password')
  const sealed = Uint8Array.from([...storage.nonce, ...storage.ciphertext])
  return KeyPair.fromSecret(Buffer.from(decrypt(secret, sealed)).toString())
}
