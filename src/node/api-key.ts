import { createHmac, randomBytes } from 'node:crypto'

/** What a key may do; each includes the ones before it. */
export const keyScopes = ['read', 'write', 'admin'] as const
export type KeyScope = (typeof keyScopes)[number]

/** A key as it may be shown: the token is gone. Times are ISO-8601 UTC with milliseconds. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly key_prefix: string
  readonly scopes: readonly KeyScope[]
  readonly created_at: string
  readonly expires_at: string | null
  /** Written at most once a minute. */
  readonly last_used_at: string | null
  readonly revoked_at: string | null
}

/** Shown once, when it is made. */
export interface CreatedKey extends ApiKey {
  readonly token: string
}

const tokenPattern = /^rlk_[A-Za-z0-9_-]{43}$/

/** `rlk_` and 32 random bytes in URL-safe base64: 47 characters (spec events §4.5). */
export const createToken = (): string => `rlk_${randomBytes(32).toString('base64url')}`

export const isToken = (text: string): boolean => tokenPattern.test(text)

/** The first 8 characters. */
export const tokenPrefix = (token: string): string => token.slice(0, 8)

/** Hex HMAC-SHA256 of the token under the node's secret: all that is stored of it. */
export const tokenDigest = (secret: string, token: string): string =>
  createHmac('sha256', secret).update(token).digest('hex')

export function mayDo(scopes: readonly KeyScope[], wanted: KeyScope): boolean {
  return scopes.some((scope) => keyScopes.indexOf(scope) >= keyScopes.indexOf(wanted))
}
