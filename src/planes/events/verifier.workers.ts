import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { SyncError } from '../../kernel/sync-error.ts'
import type { NostrEvent } from './event.ts'
import type { Verifier } from './verifier.ts'
import { recordBytes, writeRecord } from './verifier-record.ts'
import type { VerifierReply, VerifierRequest } from './verifier-worker.ts'

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

/** A call of `verify`, possibly spread over several batches. */
interface Call {
  readonly verdicts: boolean[]
  /** Signatures still undecided, plus one while the call is still handing them in. */
  left: number
  settled: boolean
  resolve(verdicts: boolean[]): void
  reject(error: unknown): void
}

/** Records of one or several calls on their way through a thread. */
interface Batch {
  readonly records: Buffer<ArrayBuffer>
  readonly parts: { readonly call: Call; readonly index: number }[]
  failures: number
}

interface Thread {
  readonly worker: Worker
  batch: Batch | undefined
}

/** Runs from `src` as it is and from `dist` as compiled. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './verifier-worker.ts' : './verifier-worker.js',
  import.meta.url,
)

/**
 * Checks signatures on worker threads. What is handed in within one turn of the event loop shares batches, whoever
 * handed it in; verdicts stay those of each signature alone.
 *
 * A thread that dies is replaced and its batch checked once more; if that fails too, the calls in it fail. There is no
 * way to a `true` that no thread has found.
 */
export function createWorkerVerifier(options: WorkerVerifierOptions = {}): WorkerVerifier {
  return new WorkerVerifier(options)
}

/** A worker only ever holds one batch; with V8's own default it would let tens of megabytes of garbage pile up. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 }

export class WorkerVerifier implements Verifier {
  readonly #maxWorkers: number
  readonly #maxPending: number
  readonly #batchSize: number
  readonly #startWorker: () => Worker
  readonly #threads = new Set<Thread>()
  /** Full or closed batches without a thread, oldest first. */
  #queue: Batch[] = []
  /** The batch still being filled. */
  #open: Batch | undefined
  #pending = 0
  readonly #waiting: { readonly call: Call; readonly size: number; admit(): void }[] = []
  #disposed: Promise<void> | undefined

  constructor({ workers, maxPending = 2_048, batchSize = 64, startWorker }: WorkerVerifierOptions) {
    this.#maxWorkers = workers ?? Math.max(1, availableParallelism() - 1)
    this.#maxPending = Math.max(maxPending, batchSize)
    this.#batchSize = batchSize
    this.#startWorker = startWorker ?? (() => new Worker(workerFile, { name: 'verifier', resourceLimits }))
    // Started before the first event comes: loading WebAssembly takes some 100 ms.
    for (let i = 0; i < this.#maxWorkers; i++) this.#startThread()
  }

  /** Signatures taken in and not yet decided. */
  get pending(): number {
    return this.#pending
  }

  async verify(
    events: readonly Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>[],
    signal?: AbortSignal,
  ): Promise<boolean[]> {
    signal?.throwIfAborted()
    if (this.#disposed !== undefined) throw disposedError()
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>()
    const call: Call = {
      verdicts: new Array(events.length).fill(false),
      left: 1,
      settled: false,
      resolve,
      reject,
    }
    const onAbort = () => this.#fail(call, signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      // Not awaited on its own: a failure has to reach the caller while the rest still waits for room.
      this.#handIn(call, events).catch((error: unknown) => this.#fail(call, error))
      return await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the threads; what is undecided fails. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose()
    return this.#disposed
  }

  /** In slices of one batch, each waiting for its turn, so that a long call does not keep out a short one. */
  async #handIn(call: Call, events: readonly Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>[]): Promise<void> {
    for (let from = 0; from < events.length; from += this.#batchSize) {
      const size = Math.min(this.#batchSize, events.length - from)
      if (this.#waiting.length > 0 || this.#pending >= this.#maxPending) await this.#turn(call, size)
      else this.#pending += size
      if (call.settled) return this.#free(size)
      for (let index = from; index < from + size; index++) this.#add(call, index, events[index]!)
    }
    this.#decide(call)
  }

  /** Resolves when `size` signatures of the call have their place among the pending ones. */
  #turn(call: Call, size: number): Promise<void> {
    return new Promise((admit) => this.#waiting.push({ call, size, admit }))
  }

  #free(size: number): void {
    this.#pending -= size
    while (this.#pending < this.#maxPending) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#pending += next.size
      next.admit()
    }
  }

  #add(call: Call, index: number, event: Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>): void {
    const batch = this.#open ?? this.#openBatch()
    if (!writeRecord(batch.records, batch.parts.length * recordBytes, event)) return this.#free(1)
    batch.parts.push({ call, index })
    call.left += 1
    if (batch.parts.length === this.#batchSize) this.#closeBatch()
  }

  #openBatch(): Batch {
    const records = Buffer.from(new ArrayBuffer(this.#batchSize * recordBytes))
    const batch: Batch = { records, parts: [], failures: 0 }
    this.#open = batch
    setImmediate(() => {
      if (this.#open === batch) this.#closeBatch()
    })
    return batch
  }

  #closeBatch(): void {
    const batch = this.#open
    this.#open = undefined
    if (batch === undefined || batch.parts.length === 0) return
    this.#queue.push(batch)
    this.#dispatch()
  }

  #dispatch(): void {
    if (this.#disposed !== undefined) return
    while (this.#queue.length > 0) {
      const thread = this.#idleThread()
      if (thread === undefined) return
      const batch = this.#queue.shift()!
      if (batch.parts.every(({ call }) => call.settled)) {
        this.#free(batch.parts.length)
        continue
      }
      thread.batch = batch
      const count = batch.parts.length
      // A copy, because the records are needed again if the thread dies.
      const records = batch.records.buffer.slice(0, count * recordBytes)
      const request: VerifierRequest = { records, count }
      thread.worker.postMessage(request, [records])
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.batch === undefined) return thread
    return this.#threads.size < this.#maxWorkers ? this.#startThread() : undefined
  }

  #startThread(): Thread {
    const thread: Thread = { worker: this.#startWorker(), batch: undefined }
    this.#threads.add(thread)
    let cause: unknown
    thread.worker.on('message', (reply: VerifierReply) => this.#onVerdicts(thread, reply))
    thread.worker.on('error', (error) => {
      cause = error
    })
    thread.worker.on('exit', (code) => this.#onExit(thread, cause ?? new Error(`exit code ${code}`)))
    return thread
  }

  #onVerdicts(thread: Thread, { verdicts }: VerifierReply): void {
    const { batch } = thread
    thread.batch = undefined
    if (batch === undefined) return
    for (const [i, { call, index }] of batch.parts.entries()) {
      call.verdicts[index] = verdicts[i] === 1
      this.#decide(call)
    }
    this.#free(batch.parts.length)
    this.#dispatch()
  }

  /** A new thread is started by whatever is to be checked next, so one that cannot start does not spin. */
  #onExit(thread: Thread, cause: unknown): void {
    this.#threads.delete(thread)
    const { batch } = thread
    if (this.#disposed !== undefined) return
    if (batch !== undefined) {
      batch.failures += 1
      if (batch.failures < 2) this.#queue.unshift(batch)
      else {
        const message = 'signatures could not be checked: the thread died twice on the same batch'
        const error = new SyncError('internal/bug', message, { cause, retryable: true })
        for (const { call } of batch.parts) this.#fail(call, error)
        this.#free(batch.parts.length)
      }
    }
    this.#dispatch()
  }

  #decide(call: Call): void {
    call.left -= 1
    if (call.left > 0 || call.settled) return
    call.settled = true
    call.resolve(call.verdicts)
  }

  #fail(call: Call, error: unknown): void {
    if (call.settled) return
    call.settled = true
    call.reject(error)
  }

  async #dispose(): Promise<void> {
    const error = disposedError()
    const batches = [...this.#queue, ...[...this.#threads].flatMap(({ batch }) => batch ?? [])]
    if (this.#open !== undefined) batches.push(this.#open)
    this.#queue = []
    this.#open = undefined
    for (const { call, admit } of this.#waiting.splice(0)) {
      this.#fail(call, error)
      admit()
    }
    for (const { parts } of batches) for (const { call } of parts) this.#fail(call, error)
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()))
  }
}

function disposedError(): SyncError {
  return new SyncError('internal/bug', 'the verifier has been disposed of', { retryable: true })
}
