import { SyncError } from './sync-error.ts'

/** What the pool needs of a worker of `node:worker_threads`. */
export interface PoolWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
  on(event: 'message', listener: (reply: PoolReply) => void): unknown
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'exit', listener: (code: number) => void): unknown
  terminate(): Promise<unknown>
}

/** What a worker answers to each batch. */
export interface PoolReply {
  /** One byte per item of the batch, 1 for yes. */
  readonly verdicts: Uint8Array<ArrayBuffer>
}

export interface VerdictPoolOptions<Item> {
  readonly threads: number
  /** Items taken in and not yet decided; beyond, callers wait. */
  readonly maxPending: number
  /** Items a thread gets at once. */
  readonly batchSize: number
  /**
   * Fewest items worth a thread of their own: a batch that is closed while threads are idle is dealt out to them. Default:
   * batches stay whole.
   */
  readonly minShare?: number | undefined
  /** What a thread is sent for a batch. Called again when a thread died of it. */
  readonly encode: (items: readonly Item[]) => { readonly message: unknown; readonly transfer: ArrayBuffer[] }
  readonly startWorker: () => PoolWorker
  /** Runs its argument after what is under way in this turn of the event loop. */
  readonly defer: (work: () => void) => void
}

/** A call of `decide`, possibly spread over several batches. */
interface Call {
  readonly verdicts: boolean[]
  /** Items still undecided, plus one while the call is still handing them in. */
  left: number
  settled: boolean
  resolve(verdicts: boolean[]): void
  reject(error: unknown): void
}

interface Part<Item> {
  readonly call: Call
  readonly index: number
  readonly item: Item
}

/** Items of one or several calls on their way through a thread. */
interface Batch<Item> {
  readonly parts: Part<Item>[]
  failures: number
}

interface Thread<Item> {
  readonly worker: PoolWorker
  batch: Batch<Item> | undefined
}

/**
 * Decides yes or no about many items on several threads. What is handed in within one turn of the event loop shares
 * batches, whoever handed it in.
 *
 * A thread that dies is replaced and its batch decided once more; if that fails too, the calls in it fail. There is no
 * way to a `true` that no thread has found.
 */
export class VerdictPool<Item> implements AsyncDisposable {
  readonly #options: VerdictPoolOptions<Item>
  readonly #threads = new Set<Thread<Item>>()
  /** Full or closed batches without a thread, oldest first. */
  #queue: Batch<Item>[] = []
  /** The batch still being filled. */
  #open: Batch<Item> | undefined
  #pending = 0
  readonly #waiting: { readonly call: Call; readonly size: number; admit(): void }[] = []
  #disposed: Promise<void> | undefined

  constructor(options: VerdictPoolOptions<Item>) {
    this.#options = options
    // Before the first item comes: starting a thread takes some 100 ms.
    for (let i = 0; i < options.threads; i++) this.#startThread()
  }

  /** Items taken in and not yet decided. */
  get pending(): number {
    return this.#pending
  }

  /** Verdicts in the order of the items. */
  async decide(items: readonly Item[], signal?: AbortSignal): Promise<boolean[]> {
    signal?.throwIfAborted()
    if (this.#disposed !== undefined) throw disposedError()
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>()
    const verdicts: boolean[] = new Array(items.length).fill(false)
    const call: Call = { verdicts, left: 1, settled: false, resolve, reject }
    const onAbort = () => this.#fail(call, signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      // Not awaited on its own: a failure has to reach the caller while the rest still waits for room.
      this.#handIn(call, items).catch((error: unknown) => this.#fail(call, error))
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
  async #handIn(call: Call, items: readonly Item[]): Promise<void> {
    const { batchSize, maxPending } = this.#options
    for (let from = 0; from < items.length; from += batchSize) {
      const size = Math.min(batchSize, items.length - from)
      if (this.#waiting.length > 0 || this.#pending >= maxPending) await this.#turn(call, size)
      else this.#pending += size
      if (call.settled) return this.#free(size)
      for (let index = from; index < from + size; index++) this.#add({ call, index, item: items[index]! })
    }
    this.#decided(call)
  }

  /** Resolves when `size` items of the call have their place among the pending ones. */
  #turn(call: Call, size: number): Promise<void> {
    return new Promise((admit) => this.#waiting.push({ call, size, admit }))
  }

  #free(size: number): void {
    this.#pending -= size
    while (this.#pending < this.#options.maxPending) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#pending += next.size
      next.admit()
    }
  }

  #add(part: Part<Item>): void {
    const batch = this.#open ?? this.#openBatch()
    batch.parts.push(part)
    part.call.left += 1
    if (batch.parts.length === this.#options.batchSize) this.#closeBatch()
  }

  #openBatch(): Batch<Item> {
    const batch: Batch<Item> = { parts: [], failures: 0 }
    this.#open = batch
    this.#options.defer(() => {
      if (this.#open === batch) this.#closeBatch()
    })
    return batch
  }

  #closeBatch(): void {
    const batch = this.#open
    this.#open = undefined
    if (batch === undefined || batch.parts.length === 0) return
    this.#queue.push(...this.#dealt(batch))
    this.#dispatch()
  }

  /** Few items that come alone are waited for: on one thread they would take as long as that thread, beside idle ones. */
  #dealt(batch: Batch<Item>): Batch<Item>[] {
    const { threads, minShare = Number.POSITIVE_INFINITY } = this.#options
    const busy = this.#threads.values().filter((thread) => thread.batch !== undefined)
    const idle = this.#queue.length > 0 ? 0 : threads - [...busy].length
    const shares = Math.min(idle, Math.floor(batch.parts.length / minShare))
    if (shares < 2) return [batch]
    const size = Math.ceil(batch.parts.length / shares)
    return Array.from({ length: Math.ceil(batch.parts.length / size) }, (_, i) => {
      return { parts: batch.parts.slice(i * size, (i + 1) * size), failures: 0 }
    })
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
      const { message, transfer } = this.#options.encode(batch.parts.map(({ item }) => item))
      thread.worker.postMessage(message, transfer)
    }
  }

  #idleThread(): Thread<Item> | undefined {
    for (const thread of this.#threads) if (thread.batch === undefined) return thread
    return this.#threads.size < this.#options.threads ? this.#startThread() : undefined
  }

  #startThread(): Thread<Item> {
    const thread: Thread<Item> = { worker: this.#options.startWorker(), batch: undefined }
    this.#threads.add(thread)
    let cause: unknown
    thread.worker.on('message', ({ verdicts }) => this.#onVerdicts(thread, verdicts))
    thread.worker.on('error', (error) => {
      cause = error
    })
    thread.worker.on('exit', (code) => this.#onExit(thread, cause ?? new Error(`exit code ${code}`)))
    return thread
  }

  #onVerdicts(thread: Thread<Item>, verdicts: Uint8Array): void {
    const { batch } = thread
    thread.batch = undefined
    if (batch === undefined) return
    for (const [i, { call, index }] of batch.parts.entries()) {
      call.verdicts[index] = verdicts[i] === 1
      this.#decided(call)
    }
    this.#free(batch.parts.length)
    this.#dispatch()
  }

  /** A new thread is started by whatever is to be decided next, so one that cannot start does not spin. */
  #onExit(thread: Thread<Item>, cause: unknown): void {
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

  #decided(call: Call): void {
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
