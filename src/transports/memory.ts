import type { Channel, DialOptions, Transport } from '../kernel/channel.ts'
import type { Address } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { defaultQueueLimits, type QueueLimits, ReceiveQueue } from './receive-queue.ts'

type Message = string | Uint8Array

/** Gets the listening side's end of each connection. */
export type Accept = (channel: MemoryChannel, protocol: string) => void

/**
 * A network inside this process: listeners by name, connections as linked pairs. Messages travel on microtasks, in
 * order, so that a run is the same every time; timers would let unrelated work in between.
 */
export class MemoryNetwork {
  readonly #listeners = new Map<string, Accept>()

  /** @throws when the name is taken: two listeners would take each other's connections */
  listen(address: string, accept: Accept): Disposable {
    if (this.#listeners.has(address))
      throw new SyncError('config/invalid', `"${address}" is already listened on`)
    this.#listeners.set(address, accept)
    return { [Symbol.dispose]: () => this.#listeners.delete(address) }
  }

  /** A transport that dials the listeners of this network. */
  transport(limits: QueueLimits = defaultQueueLimits): Transport {
    const open = new Set<MemoryChannel>()
    let disposed = false
    return {
      name: 'memory',
      dial: async (address: Address, { protocol, signal }: DialOptions) => {
        await undefined
        signal.throwIfAborted()
        if (disposed) throw new SyncError('peer/unreachable', 'the transport was closed')
        const accept = this.#listeners.get(address.value)
        if (accept === undefined)
          throw new SyncError('peer/unreachable', `no connection to ${address.value}: nothing listens there`)
        const [local, remote] = memoryPair({ remote: address.value, limits, signal })
        open.add(local)
        void local.closed.then(() => open.delete(local))
        accept(remote, protocol)
        return local
      },
      async [Symbol.asyncDispose]() {
        disposed = true
        await Promise.all([...open].map((channel) => channel[Symbol.asyncDispose]()))
      },
    }
  }
}

export interface MemoryPairOptions {
  readonly remote?: string
  readonly limits?: QueueLimits
  /** Aborting it closes the first of the two. */
  readonly signal?: AbortSignal
}

/** Two ends of one line. */
export function memoryPair(options: MemoryPairOptions = {}): [MemoryChannel, MemoryChannel] {
  const { remote = 'memory', limits = defaultQueueLimits, signal } = options
  const left = new MemoryChannel(remote, limits)
  const right = new MemoryChannel(`${remote} (dialler)`, limits)
  left.link(right)
  right.link(left)
  if (signal !== undefined) {
    const onAbort = () => left.close(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    void left.closed.then(() => signal.removeEventListener('abort', onAbort))
  }
  return [left, right]
}

/** One end of a line inside this process. `send` waits while the other end's queue is full: its reader sets the pace. */
export class MemoryChannel implements Channel {
  readonly remote: string
  /** Resolves when this end is closed, however it ended. */
  readonly closed: Promise<void>
  readonly #queue: ReceiveQueue
  readonly #waiting = new Set<() => void>()
  readonly #resolveClosed: () => void
  /** Itself until linked. */
  #other: MemoryChannel = this
  #gone: SyncError | undefined

  constructor(remote: string, limits: QueueLimits) {
    this.remote = remote
    this.#queue = new ReceiveQueue((full) => {
      if (!full) this.#other.release()
    }, limits)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    this.#resolveClosed = resolve
  }

  link(other: MemoryChannel): void {
    this.#other = other
  }

  async send(message: Message): Promise<void> {
    const other = this.#other
    if (this.#gone !== undefined) throw this.#gone
    // A copy: the sender may write its next message into the same buffer, as it may with a socket.
    const sent = typeof message === 'string' ? message : message.slice()
    queueMicrotask(() => other.#queue.push(sent))
    await undefined
    while (this.#gone === undefined && other.#queue.full) await this.#room()
    if (this.#gone !== undefined) throw this.#gone
  }

  /** Each message goes to one reader. Leaving the loop does not close the channel; a later loop goes on from there. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return { next: () => this.#queue.next() }
  }

  /** Breaks the line, as a cut cable does: both ends find out, nothing more arrives. */
  break(error: SyncError = new SyncError('peer/unreachable', `the line to ${this.remote} broke`)): void {
    for (const end of [this, this.#other]) {
      end.#finish(error)
      end.#queue.fail(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.closed
  }

  /** Closes in good order: the other end reads what was sent, then its iteration ends. */
  close(reason?: unknown): void {
    if (this.#gone !== undefined) return this.#queue.discard(reason)
    this.#finish(new SyncError('peer/unreachable', `the connection to ${this.remote} is closed`))
    this.#queue.discard(reason)
    const other = this.#other
    queueMicrotask(() => {
      other.#finish(new SyncError('peer/unreachable', `${other.remote} closed the connection`))
      other.#queue.end()
    })
  }

  /** The other end has room again. */
  release(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    return promise
  }

  #finish(gone: SyncError): void {
    this.#gone ??= gone
    this.#resolveClosed()
    this.release()
  }
}
