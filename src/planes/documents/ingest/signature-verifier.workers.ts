import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type PoolWorker, VerdictPool } from '../../../kernel/verdict-pool.ts'
import { publicKeyBytes } from '../entry/key-pair.ts'
import { type Claim, type SignatureVerifier, signatureOf } from './signature-verifier.ts'
import type { SignatureRequest } from './signature-worker.ts'

export interface WorkerSignatureVerifierOptions {
  /**
   * Threads. Default: as many as there are processors. Checking takes most of what an entry costs, and the main thread
   * waits for it.
   */
  readonly workers?: number | undefined
  /** Signatures taken in and not yet decided; beyond, callers wait. */
  readonly maxPending?: number | undefined
  /** Signatures a thread gets at once. */
  readonly batchSize?: number | undefined
  /** Starts a thread that answers a SignatureRequest. Default: signature-worker. */
  readonly startWorker?: (() => PoolWorker) | undefined
}

/** Runs from `src` as it is and from `dist` as compiled. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './signature-worker.ts' : './signature-worker.js',
  import.meta.url,
)

/** Checking four takes half a millisecond, several times what it costs to hand them over. */
const minShare = 4

/** A worker only ever holds one batch. */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 }

/** Checks signatures of entries on worker threads, in batches. Dispose it: it holds threads. */
export function createWorkerSignatureVerifier({
  workers = availableParallelism(),
  maxPending = 4_096,
  batchSize = 128,
  startWorker = () => new Worker(workerFile, { name: 'signatures', resourceLimits }),
}: WorkerSignatureVerifierOptions = {}): SignatureVerifier {
  const pool = new VerdictPool<Claim>({
    threads: workers,
    maxPending: Math.max(maxPending, batchSize),
    batchSize,
    minShare,
    encode,
    startWorker,
    defer: setImmediate,
  })
  return {
    verify: (claims, signal) => pool.decide(claims, signal),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

/** A signature that is not there, or has another text, is one of zeros: of no key and of nothing. */
function encode(claims: readonly Claim[]) {
  const signed = claims.map(({ sealed }) => sealed.signingBytes)
  const size = signed.reduce((sum, bytes) => sum + 100 + bytes.length, 0)
  const records = Buffer.from(new ArrayBuffer(size))
  let at = 0
  for (const [i, { pubkey, sealed }] of claims.entries()) {
    const bytes = signed[i]!
    records.set(publicKeyBytes(pubkey), at)
    const signature = signatureOf(sealed)
    if (signature !== undefined) records.set(signature, at + 32)
    records.writeUInt32LE(bytes.length, at + 96)
    records.set(bytes, at + 100)
    at += 100 + bytes.length
  }
  const message: SignatureRequest = { records: records.buffer, count: claims.length }
  return { message, transfer: [records.buffer] }
}
