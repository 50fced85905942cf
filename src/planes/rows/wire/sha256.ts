import { sha256 } from '@noble/hashes/sha2.js'

/** A running SHA-256; Node's own and the portable one both look like this. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown
  digest(): Uint8Array
}

/** Runs everywhere; a server passes Node's, which is several times as fast. */
export const portableSha256 = (): Sha256 => sha256.create()
