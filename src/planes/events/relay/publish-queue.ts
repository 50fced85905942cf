import type { Ingest, IngestContext, IngestResult } from '../ingest.ts'

export interface PublishOptions {
  readonly ingest: Pick<Ingest<unknown>, 'accept'>
  /** Who sends, as known when a batch is handed over. */
  context(): IngestContext
  /** Called with the verdicts of each batch, in the order the events came in. */
  onResults(raws: readonly string[], results: readonly IngestResult[]): void
  /** The batch could not be decided (a full disk, a store that is gone): none of it may count as stored. */
  onFailure(raws: readonly string[], error: unknown): void
  /** Events and bytes taken in and not yet answered, at most. */
  readonly maxEvents: number
  readonly maxBytes: number
  readonly signal: AbortSignal
}

interface Batch {
  readonly raws: string[]
  bytes: number
}

/** A second batch is verified while the first is being committed; more would only hold memory. */
const maxBatchesInFlight = 2

/**
 * The events one connection publishes. What arrives in one turn of the event loop, or while earlier batches are still
 * being stored, goes to ingest together; answers keep the order of arrival. When `room` has to be awaited, nothing more
 * is read from the connection.
 */
export class PublishQueue {
  readonly #options: PublishOptions
  #batch: Batch = { raws: [], bytes: 0 }
  #events = 0
  #bytes = 0
  #inFlight = 0
  #scheduled = false
  #answered: Promise<void> = Promise.resolve()
  #waiting: (() => void)[] = []

  constructor(options: PublishOptions) {
    this.#options = options
  }

  get hasRoom(): boolean {
    return this.#events < this.#options.maxEvents && this.#bytes < this.#options.maxBytes
  }

  room(): Promise<void> {
    return this.hasRoom ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  push(raw: string): void {
    this.#batch.raws.push(raw)
    this.#batch.bytes += raw.length
    this.#events += 1
    this.#bytes += raw.length
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#inFlight < maxBatchesInFlight) this.flush()
    })
  }

  /** Hands over what has gathered, under the context of this moment. */
  flush(): void {
    const batch = this.#batch
    if (batch.raws.length === 0) return
    this.#batch = { raws: [], bytes: 0 }
    this.#inFlight += 1
    const { ingest, context, signal } = this.#options
    const accepted = attempt(() => ingest.accept(batch.raws, context(), signal))
    this.#answered = this.#answered.then(async () => this.#settle(batch, await accepted))
  }

  /** Resolves when everything pushed so far has been answered. */
  async idle(): Promise<void> {
    this.flush()
    while (this.#events > 0) await this.#answered
  }

  #settle(batch: Batch, outcome: Attempt): void {
    this.#inFlight -= 1
    this.#events -= batch.raws.length
    this.#bytes -= batch.bytes
    try {
      if (outcome.ok) this.#options.onResults(batch.raws, outcome.results)
      else this.#options.onFailure(batch.raws, outcome.error)
    } catch (error) {
      // One answer that cannot be sent must not hold up all later ones.
      this.#options.onFailure([], error)
    }
    if (!this.#scheduled) this.flush()
    if (!this.hasRoom) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

type Attempt =
  | { readonly ok: true; readonly results: readonly IngestResult[] }
  | { readonly ok: false; readonly error: unknown }

/** Never rejects: nobody may be listening yet when a batch fails. */
async function attempt(work: () => Promise<readonly IngestResult[]>): Promise<Attempt> {
  try {
    return { ok: true, results: await work() }
  } catch (error) {
    return { ok: false, error }
  }
}
