import { Doc } from '../crdt/doc.ts'
import { decodeDoc, docToJson } from '../crdt/doc-json.ts'
import {
  decrypt,
  defaultKdf,
  encrypt,
  type KdfParameters,
  keyOfPassword,
  newSalt,
  nonceBytes,
} from '../crypto/password-key.ts'
import { DocumentError } from '../document-error.ts'
import { encryptedState } from '../state/encrypted-state.ts'
import type { StoreAccess, StoreKind } from './store-kind.ts'

/**
 * A store of another kind whose payloads are encrypted under a password. Peers without it sync, verify and store them
 * like any others. Whoever knows the password reads everything, also what was written before he did.
 */
export class PasswordStore<Handle> {
  readonly #access: StoreAccess
  readonly #inner: StoreKind<Handle>
  #config: Doc
  #handle: Handle | undefined

  constructor(access: StoreAccess, inner: StoreKind<Handle>) {
    this.#access = access
    this.#inner = inner
    this.#config = access.config
  }

  get state(): 'uninitialized' | 'locked' | 'unlocked' {
    if (this.#handle !== undefined) return 'unlocked'
    return this.#config.has('encryption') ? 'locked' : 'uninitialized'
  }

  /** Throws `document/password` while it is locked. */
  get inner(): Handle {
    if (this.#handle === undefined) throw new DocumentError('document/password', `the store is ${this.state}`)
    return this.#handle
  }

  /** Sets the password, once and for all. Throws `document/password` when there is one. */
  async initialize(password: string, innerConfig = this.#inner.defaultConfig()): Promise<Handle> {
    this.#expect('uninitialized')
    this.#access.assertOpen(true)
    const salt = newSalt()
    const key = await keyOfPassword(password, salt)
    const wrapped = encrypt(
      key,
      Buffer.from(JSON.stringify({ type: this.#inner.type, config: docToJson(innerConfig) })),
    )
    const { memory, iterations, parallelism } = defaultKdf
    const encryption = {
      algorithm: 'aes-256-gcm',
      kdf: 'argon2id',
      salt,
      version: 'v0',
      argon2_m_cost: memory,
      argon2_t_cost: iterations,
      argon2_p_cost: parallelism,
    }
    const wrappedConfig = {
      ciphertext: Buffer.from(wrapped.subarray(nonceBytes)).toString('base64'),
      nonce: Buffer.from(wrapped.subarray(0, nonceBytes)).toString('base64'),
    }
    this.#config = Doc.from({ encryption, wrapped_config: wrappedConfig }, { atomic: true })
    await this.#access.configure(this.#config)
    return await this.#unlock(key, innerConfig)
  }

  /** Throws `document/password` when it is wrong, or the store is not locked; `document/store-type`. */
  async open(password: string): Promise<Handle> {
    this.#expect('locked')
    const key = await keyOfPassword(password, this.#text('encryption.salt'), this.#kdf())
    const nonce = Buffer.from(this.#text('wrapped_config.nonce'), 'base64')
    if (nonce.length !== nonceBytes)
      throw new DocumentError('document/password', `a nonce has ${nonceBytes} bytes`)
    const ciphertext = Buffer.from(this.#text('wrapped_config.ciphertext'), 'base64')
    const plain = Buffer.from(decrypt(key, Buffer.concat([nonce, ciphertext]))).toString()
    const { type, config } = JSON.parse(plain) as { readonly type: string; readonly config: unknown }
    if (type !== this.#inner.type)
      throw new DocumentError(
        'document/store-type',
        `the encrypted store is a ${type}, not a ${this.#inner.type}`,
      )
    return await this.#unlock(key, decodeDoc(Buffer.from(JSON.stringify(config))))
  }

  async #unlock(key: Uint8Array, config: Doc): Promise<Handle> {
    const handle = await this.#inner.open({
      name: this.#access.name,
      config,
      history: (type) => this.#access.history(encryptedState(type, key)),
      provide: (payload) =>
        this.#access.provide(() => {
          const plain = payload()
          return plain && encrypt(key, plain)
        }),
      assertOpen: (writing) => this.#access.assertOpen(writing),
      configure: () =>
        Promise.reject(new DocumentError('document/password', 'an encrypted store keeps its configuration')),
    })
    this.#handle = handle
    return handle
  }

  #expect(state: PasswordStore<Handle>['state']): void {
    if (this.state !== state)
      throw new DocumentError('document/password', `the store is ${this.state}, not ${state}`)
  }

  #kdf(): KdfParameters {
    const [algorithm, kdf] = [this.#text('encryption.algorithm'), this.#text('encryption.kdf')]
    if (algorithm !== 'aes-256-gcm' || kdf !== 'argon2id')
      throw new DocumentError('document/password', `${algorithm} with ${kdf} is not supported`)
    const number = (path: string) => Number(this.#config.get(path))
    return {
      memory: number('encryption.argon2_m_cost'),
      iterations: number('encryption.argon2_t_cost'),
      parallelism: number('encryption.argon2_p_cost'),
    }
  }

  #text(path: string): string {
    const value = this.#config.get(path)
    if (typeof value === 'string') return value
    throw new DocumentError('document/password', `the encryption of the store lacks ${path}`)
  }
}

/** Encrypted stores over stores of one kind. */
export function passwordStore<Handle>(inner: StoreKind<Handle>): StoreKind<PasswordStore<Handle>> {
  return {
    type: 'encrypted:password:v0',
    defaultConfig: () => new Doc(),
    open: async (access) => new PasswordStore(access, inner),
  }
}
