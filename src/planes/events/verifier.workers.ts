import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { VerdictPool } from '../../kernel/verdict-pool.ts'
import type { NostrEvent } from './event.ts'
import type { Verifier } from './verifier.ts'
import { recordBytes, writeRecord } from './verifier-record.ts'
import type { VerifierRequest } from './verifier-worker.ts'

export interface WorkerVerifierOptions {
  /** Threads. Default: one less than there are processors, at least one. */
  readonly workers?: number | undefined
  /** Signatures taken in and not yet decided; beyond, callers wait. */
  readonly maxPending?: number | undefined
  /** Signatures a thread gets at once. */
  readonly batchSize?: number | undefined
  /** Starts a thread that answers a VerifierRequest with a VerifierReply. Default: verifier-worker. */
  readonly startWorker?: (() => Worker) | undefined
}

type Signed = Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>

/** Runs from `src` as it is and from `dist` as compiled. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './verifier-worker.ts' : './verifier-worker.js',
  import.meta.url,
)

/** A worker only ever holds one batch; with V8's own default it would let tens of megabytes of garbage pile up. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 }

/**
 * Checks signatures on worker threads. What is handed in within one turn of the event loop shares batches, whoever
 * handed it in; verdicts stay those of each signature alone.
 */
export function createWorkerVerifier(options: WorkerVerifierOptions = {}): WorkerVerifier {
  return new WorkerVerifier(options)
}

export class WorkerVerifier implements Verifier {
  readonly #pool: VerdictPool<Signed>

  constructor({ workers, maxPending = 2_048, batchSize = 64, startWorker }: WorkerVerifierOptions) {
    this.#pool = new VerdictPool({
      threads: workers ?? Math.max(1, availableParallelism() - 1),
      maxPending: Math.max(maxPending, batchSize),
      batchSize,
      encode,
      startWorker: startWorker ?? (() => new Worker(workerFile, { name: 'verifier', resourceLimits })),
      defer: setImmediate,
    })
  }

  /** Signatures taken in and not yet decided. */
  get pending(): number {
    return this.#pool.pending
  }

  verify(events: readonly Signed[], signal?: AbortSignal): Promise<boolean[]> {
    return this.#pool.decide(events, signal)
  }

  /** Ends the threads; what is undecided fails. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]()
  }
}

/** A field that is no hex leaves its record unfinished: no signature of anything, whatever is left in it. */
function encode(events: readonly Signed[]) {
  const records = Buffer.from(new ArrayBuffer(events.length * recordBytes))
  for (const [i, event] of events.entries()) {
    if (writeRecord(records, i * recordBytes, event)) continue
    records.fill(0, i * recordBytes, (i + 1) * recordBytes)
  }
  const message: VerifierRequest = { records: records.buffer, count: events.length }
  return { message, transfer: [records.buffer] }
}
