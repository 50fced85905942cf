import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '../kernel/sync-error.ts'
import { parseSecretKey } from '../planes/events/secret-key.ts'
import { createSigner, type EventTemplate, generateSecretKey, type Signer } from '../planes/events/signer.ts'

const fileName = 'identity.key'

/** Where the key came from this time. */
export type IdentitySource = 'configured' | 'persisted' | 'generated' | 'imported'

/** Who the node is; never its secret. */
export interface IdentityView {
  readonly pubkey: string
  readonly source: IdentitySource
}

/** What can be asked of a node about its own key (spec events §2.12). */
export interface IdentityControl {
  show(): Promise<IdentityView>
  /**
   * Takes a key that exists already, 64 hex or `nsec1…`.
   *
   * @throws SyncError `config/invalid` when it is none, or the key is configured from outside
   */
  import(secretKey: string): Promise<IdentityView>
  /** Makes a new key. The old one is gone. @throws SyncError `config/invalid` when the key is configured from outside */
  rotate(): Promise<IdentityView>
}

/**
 * The node's own key: `RELAY_PRIVATE_KEY` where it is set, else the data directory's `identity.key` (64 hex, mode 0600), made
 * at the first start. It signs NIP-42 answers and is the `self` of the relay's NIP-11 document.
 */
export class Identity implements Signer {
  readonly #path: string
  #signer: Signer
  #source: IdentitySource

  private constructor(path: string, signer: Signer, source: IdentitySource) {
    this.#path = path
    this.#signer = signer
    this.#source = source
  }

  static async load(directory: string, configured: string | undefined): Promise<Identity> {
    const path = join(directory, fileName)
    if (configured !== undefined && configured !== '')
      return new Identity(path, signerFrom(configured, 'RELAY_PRIVATE_KEY'), 'configured')
    const known = await existing(path)
    if (known !== undefined) return new Identity(path, known, 'persisted')
    const secret = generateSecretKey()
    // `wx`: of two processes that start at once only one may decide who the node is.
    await write(path, secret, 'wx')
    return new Identity(path, createSigner(secret), 'generated')
  }

  get pubkey(): string {
    return this.#signer.pubkey
  }

  get view(): IdentityView {
    return { pubkey: this.pubkey, source: this.#source }
  }

  sign(template: EventTemplate) {
    return this.#signer.sign(template)
  }

  /** From the next signature on the node is who `secretKey` says. @throws as {@link IdentityControl} */
  async import(secretKey: string): Promise<void> {
    await this.#replace(signerFrom(secretKey, 'the key'), parseSecretKey(secretKey) ?? '', 'imported')
  }

  async rotate(): Promise<void> {
    const secret = generateSecretKey()
    await this.#replace(createSigner(secret), secret, 'generated')
  }

  async #replace(signer: Signer, secret: string, source: IdentitySource): Promise<void> {
    if (this.#source === 'configured')
      throw new SyncError(
        'config/invalid',
        'the identity comes from RELAY_PRIVATE_KEY and is changed there; unset it to keep one here',
      )
    // Whole or not at all: a node that lost its key half way would be nobody.
    const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`
    try {
      await write(temporary, secret, 'wx')
      await rename(temporary, this.#path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    this.#signer = signer
    this.#source = source
  }
}

function signerFrom(text: string, what: string): Signer {
  const secret = parseSecretKey(text)
  try {
    if (secret !== undefined) return createSigner(secret)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw new SyncError('config/invalid', `${what} is no secret key: give 64 hex digits or nsec1…`)
}

async function existing(path: string): Promise<Signer | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (!/^[0-9a-f]{64}$/.test(text))
      throw new SyncError(
        'config/invalid',
        `${path} does not hold a secret key of 64 hex digits; restore it or delete it`,
      )
    await chmod(path, 0o600)
    return createSigner(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function write(path: string, secret: string, flags: string): Promise<void> {
  await using file = await open(path, flags, 0o600)
  await file.writeFile(`${secret}\n`)
  await file.sync()
}
