import { createLocalJWKSet, importSPKI, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { WatchedFile } from './watched-file.ts'

/** RFC 7518 §3.2: a key for HS256 has at least the size of its hash. */
const minSecretBytes = 32

interface TokenKey {
  readonly key: JWTVerifyGetKey
  /** By the kind of key, never by what a token says: else a public key could be used as a shared secret. */
  readonly algorithms: readonly string[]
}

/** Says which user a signed token (RFC 7519) names; rejects for anything that proves nobody. */
export class TokenCheck {
  readonly #settings: Config['rows']
  readonly #clock: Clock
  readonly #file: WatchedFile<TokenKey>

  private constructor(settings: Config['rows'], path: string, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#file = new WatchedFile(path, tokenKey, clock)
  }

  /** @throws SyncError `config/invalid` when there is no key, or it cannot be used */
  static async open(settings: Config['rows'], clock: Clock): Promise<TokenCheck> {
    const { jwtKeyFile } = settings
    if (jwtKeyFile === undefined)
      throw new SyncError(
        'config/invalid',
        'rows.jwtKeyFile is missing: with rows.auth: jwt it names what tokens are checked with',
      )
    const check = new TokenCheck(settings, jwtKeyFile, clock)
    await check.#file.value().catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new SyncError('config/invalid', `rows.jwtKeyFile: ${jwtKeyFile} cannot be used: ${why}`, {
        cause,
      })
    })
    return check
  }

  async userOf(token: string): Promise<string> {
    const { jwtIssuer, jwtAudience, jwtUserClaim } = this.#settings
    const { key, algorithms } = await this.#file.value()
    const { payload } = await jwtVerify(token, key, {
      algorithms: [...algorithms],
      currentDate: new Date(this.#clock.now()),
      // A token that never ends could not be taken back.
      requiredClaims: ['exp', jwtUserClaim],
      ...(jwtIssuer !== undefined && { issuer: jwtIssuer }),
      ...(jwtAudience !== undefined && { audience: jwtAudience }),
    })
    return userIn(payload, jwtUserClaim)
  }
}

function userIn(payload: JWTPayload, claim: string): string {
  const user = payload[claim]
  if (typeof user !== 'string') throw new TypeError(`the claim ${claim} is no text`)
  return user
}

async function tokenKey(bytes: Buffer): Promise<TokenKey> {
  const text = bytes.toString('utf8').trim()
  if (text.startsWith('{'))
    return {
      key: createLocalJWKSet(JSON.parse(text)),
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    }
  if (text.startsWith('-----BEGIN')) {
    const key = await importSPKI(text, 'RS256')
    return { key: () => key, algorithms: ['RS256'] }
  }
  const secret = Buffer.from(text, 'utf8')
  if (secret.length < minSecretBytes)
    throw new RangeError(`a secret for HS256 has at least ${minSecretBytes} bytes, not ${secret.length}`)
  return { key: () => secret, algorithms: ['HS256'] }
}
