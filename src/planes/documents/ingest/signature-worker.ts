import { parentPort } from 'node:worker_threads'
import type { PoolReply } from '../../../kernel/verdict-pool.ts'
import { PublicKeyCache, signatureBytes } from '../entry/key-pair.ts'

/**
 * What the pool sends: signatures back to back. Each is 32 bytes of public key, 64 bytes of signature, the length of the
 * signed bytes as u32 little-endian, and those bytes.
 */
export interface SignatureRequest {
  readonly records: ArrayBuffer
  readonly count: number
}

const keys = new PublicKeyCache()

parentPort?.on('message', ({ records, count }: SignatureRequest) => {
  const view = new DataView(records)
  const verdicts = new Uint8Array(count)
  let at = 0
  for (let i = 0; i < count; i++) {
    const key = new Uint8Array(records, at, 32)
    const signature = new Uint8Array(records, at + 32, signatureBytes)
    const length = view.getUint32(at + 96, true)
    const signed = new Uint8Array(records, at + 100, length)
    verdicts[i] = keys.verify(key, signed, signature) ? 1 : 0
    at += 100 + length
  }
  const reply: PoolReply = { verdicts }
  parentPort?.postMessage(reply, [verdicts.buffer])
})
