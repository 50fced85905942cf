import { parentPort } from 'node:worker_threads'
import { isXOnlyPoint, verifySchnorr } from 'tiny-secp256k1'
import type { PoolReply } from '../../kernel/verdict-pool.ts'
import { readRecord, recordBytes } from './verifier-record.ts'

/** What the pool sends: records back to back. */
export interface VerifierRequest {
  readonly records: ArrayBuffer
  readonly count: number
}

/** Public keys known to be on the curve; a few hundred authors write most of what a relay sees. */
const knownKeys = new Set<string>()
const maxKnownKeys = 10_000

function isGenuine(records: Uint8Array, offset: number): boolean {
  const [id, pubkey, sig] = readRecord(records, offset)
  try {
    return isKey(pubkey) && verifySchnorr(id, pubkey, sig)
  } catch (error) {
    // How the library says that r or s is out of range. Whatever else it throws means that it can no longer be trusted.
    if (error instanceof TypeError) return false
    throw error
  }
}

/**
 * `verifySchnorr` throws through WebAssembly when the key is not on the curve, and each time leaves its stack a little
 * shorter: some 3,400 such events, and it would refuse every signature (tiny-secp256k1 2.2.4). So it never sees them.
 */
function isKey(pubkey: Uint8Array): boolean {
  const name = Buffer.from(pubkey.buffer, pubkey.byteOffset, 32).toString('latin1')
  if (knownKeys.has(name)) return true
  if (!isXOnlyPoint(pubkey)) return false
  if (knownKeys.size >= maxKnownKeys) knownKeys.clear()
  knownKeys.add(name)
  return true
}

/** The first vector of BIP-340. Compiles what the first batch needs, and proves that the library works here. */
function selfTest(): void {
  const vector = Buffer.from(
    '0000000000000000000000000000000000000000000000000000000000000000' +
      'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9' +
      'e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215' +
      '25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0',
    'hex',
  )
  const genuine = isGenuine(vector, 0)
  vector[recordBytes - 1]! ^= 1
  if (!genuine || isGenuine(vector, 0)) throw new Error('the signature library fails its self test')
}

selfTest()
parentPort?.on('message', ({ records, count }: VerifierRequest) => {
  const bytes = new Uint8Array(records)
  const verdicts = new Uint8Array(count)
  for (let i = 0; i < count; i++) verdicts[i] = isGenuine(bytes, i * recordBytes) ? 1 : 0
  const reply: PoolReply = { verdicts }
  parentPort?.postMessage(reply, [verdicts.buffer])
})
