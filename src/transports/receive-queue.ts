/** Limits of one receive queue. Reading stops at `high` and starts again at `low`, so that it does not flutter. */
export interface QueueLimits {
  readonly highBytes: number
  readonly lowBytes: number
  /** Bounds the cost of tiny messages, whose bookkeeping outweighs their bytes. */
  readonly highMessages: number
  readonly lowMessages: number
}

export const defaultQueueLimits: QueueLimits = {
  highBytes: 1024 * 1024,
  lowBytes: 256 * 1024,
  highMessages: 4_096,
  lowMessages: 1_024,
}

/** Read places kept before the array is cut: rarely enough to cost nothing, often enough to stay small. */
const compactAfter = 4_096

type Message = string | Uint8Array
type Result = IteratorResult<Message, undefined>

interface Reader {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Received messages on their way to whoever iterates. Policy: block. The queue never drops; it tells its owner when
 * it is `full` and the owner stops reading from the peer. What was underway by then still arrives, so the real bound
 * is `high` plus one message plus one read of the socket.
 */
export class ReceiveQueue {
  readonly #limits: QueueLimits
  readonly #onFull: (full: boolean) => void
  /** Undefined where already read: shifting an array of thousands on every read would be quadratic. */
  #messages: (Message | undefined)[] = []
  #head = 0
  #bytes = 0
  #full = false
  #readers: Reader[] = []
  #end: { readonly error: unknown } | 'done' | undefined

  constructor(onFull: (full: boolean) => void, limits: QueueLimits = defaultQueueLimits) {
    this.#onFull = onFull
    this.#limits = limits
  }

  get full(): boolean {
    return this.#full
  }

  /** A character of text counts as a byte. */
  push(message: Message): void {
    if (this.#end !== undefined) return
    const reader = this.#readers.shift()
    if (reader !== undefined) return reader.resolve({ done: false, value: message })
    this.#messages.push(message)
    this.#bytes += message.length
    this.#gauge()
  }

  /** The peer closed: what arrived before is still read, then iterating ends. */
  end(): void {
    this.#finish('done')
  }

  /** The line broke: what arrived before is still read, then iterating throws. */
  fail(error: unknown): void {
    this.#finish({ error })
  }

  /** Nobody will read any more: forgets what is queued and ends iterating at once, with `error` if there is one. */
  discard(error?: unknown): void {
    this.#messages = []
    this.#head = 0
    this.#bytes = 0
    this.#end = error === undefined ? 'done' : { error }
    this.#release()
  }

  next(): Promise<Result> {
    const message = this.#messages[this.#head]
    if (message !== undefined) return Promise.resolve({ done: false, value: this.#take(message) })
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.#readers.push({ resolve, reject })
    if (this.#end !== undefined) this.#release()
    return promise
  }

  #take(message: Message): Message {
    this.#messages[this.#head++] = undefined
    this.#bytes -= message.length
    // A reader that keeps pace but never empties the queue would otherwise leave an ever longer tail of read places.
    if (this.#head === this.#messages.length || this.#head >= compactAfter) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    this.#gauge()
    return message
  }

  #gauge(): void {
    const count = this.#messages.length - this.#head
    const { highBytes, lowBytes, highMessages, lowMessages } = this.#limits
    const full = this.#full
      ? this.#bytes > lowBytes || count > lowMessages
      : this.#bytes >= highBytes || count >= highMessages
    if (full === this.#full) return
    this.#full = full
    this.#onFull(full)
  }

  #finish(end: { readonly error: unknown } | 'done'): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#release()
  }

  #release(): void {
    const readers = this.#readers
    this.#readers = []
    for (const { resolve, reject } of readers) {
      if (this.#end === 'done' || this.#end === undefined) resolve({ done: true, value: undefined })
      else reject(this.#end.error)
    }
  }
}
