import type { TransactionOptions } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/** A transaction on its way to be durable. Its type is known to the caller alone, who gets the promise. */
export interface QueuedTransaction {
  readonly work: (tx: SqliteTx) => unknown
  readonly weight: number
  readonly durable: boolean
  resolve(value: unknown): void
  reject(error: unknown): void
}

export interface QueueLimits {
  /** Transactions that wait; more are refused as `store/busy`. */
  readonly maxWaiting: number
  /** A group is full at this many transactions … */
  readonly maxGroup: number
  /** … or at this weight. */
  readonly maxGroupWeight: number
}

/** First come, first served. Waiting is the backpressure; the bound keeps careless callers from filling the memory. */
export class TransactionQueue {
  readonly #limits: QueueLimits
  #waiting: QueuedTransaction[] = []
  #weight = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#waiting.length
  }

  /** Whether waiting longer would not make the next group any larger. */
  get fillsGroup(): boolean {
    const { maxGroup, maxGroupWeight } = this.#limits
    return this.#waiting.length >= maxGroup || this.#weight >= maxGroupWeight
  }

  add<T>(work: (tx: SqliteTx) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const { signal, weight = 1, durable = true } = options
    if (signal?.aborted) return Promise.reject(signal.reason)
    const { maxWaiting } = this.#limits
    if (this.#waiting.length >= maxWaiting)
      return Promise.reject(new SyncError('store/busy', `${maxWaiting} transactions are waiting already`))
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(queued), 1)
        this.#weight -= weight
        reject(signal?.reason)
      }
      const queued: QueuedTransaction = {
        work: (tx) => {
          signal?.removeEventListener('abort', onAbort)
          return work(tx)
        },
        weight,
        durable,
        resolve: (value) => resolve(value as T),
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      this.#waiting.push(queued)
      this.#weight += weight
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Whether the next one has to be durable; undefined: none waits. */
  get nextIsDurable(): boolean | undefined {
    return this.#waiting[0]?.durable
  }

  /** The next one of a group that holds `count` transactions of `weight` so far, while it still fits. */
  next(count: number, weight: number): QueuedTransaction | undefined {
    const { maxGroup, maxGroupWeight } = this.#limits
    const first = this.#waiting[0]
    if (first === undefined) return undefined
    if (count >= maxGroup || (count > 0 && weight + first.weight > maxGroupWeight)) return undefined
    this.#waiting.shift()
    this.#weight -= first.weight
    return first
  }
}
