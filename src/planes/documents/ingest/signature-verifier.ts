import type { SealedEntry } from '../entry/entry.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import { verifySignature } from '../entry/key-pair.ts'

/** A signature to check: whose it is said to be, and the entry it stands in. */
export interface Claim {
  readonly pubkey: PublicKey
  readonly sealed: SealedEntry
}

/** Checks Ed25519 signatures of entries. Verdicts equal those of single verification, in input order. */
export interface SignatureVerifier extends AsyncDisposable {
  verify(claims: readonly Claim[], signal?: AbortSignal): Promise<boolean[]>
}

/** The 64 bytes of a signature, or undefined: not there, or not in its one text form. */
export function signatureOf({ entry: { sig } }: SealedEntry): Buffer | undefined {
  const bytes = Buffer.from(sig.signature ?? '', 'base64')
  return bytes.length === 64 && bytes.toString('base64') === sig.signature ? bytes : undefined
}

/** One after the other on the calling thread: for few entries, and where there are no threads. */
export function createInlineSignatureVerifier(): SignatureVerifier {
  return {
    async verify(claims, signal) {
      return claims.map(({ pubkey, sealed }) => {
        signal?.throwIfAborted()
        const signature = signatureOf(sealed)
        return signature !== undefined && verifySignature(pubkey, sealed.signingBytes, signature)
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}
