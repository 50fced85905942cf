import { schnorr } from '@noble/curves/secp256k1.js'
import type { Verifier } from './verifier.ts'
import { readRecord, recordBytes, writeRecord } from './verifier-record.ts'

/**
 * The reference: one signature after the other on the calling thread, with an audited library of its own. About six
 * times slower than the workers, which must come to the same verdicts.
 */
export function createInlineVerifier(): Verifier {
  return {
    async verify(events, signal) {
      return events.map((event) => {
        signal?.throwIfAborted()
        const record = Buffer.alloc(recordBytes)
        if (!writeRecord(record, 0, event)) return false
        const [id, pubkey, sig] = readRecord(record, 0)
        return schnorr.verify(sig, id, pubkey)
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}
