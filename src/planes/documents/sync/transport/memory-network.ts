import { DocumentError } from '../../document-error.ts'
import type { Listening, MessageHandler, SyncTransport } from './sync-transport.ts'

/** What happens to a message on its way; the default is nothing. Addresses are those of the transports. */
export interface NetworkFaults {
  /** Asked for every message, both ways. */
  fate(from: string, to: string, way: 'request' | 'answer'): MessageFate
  /** Waits as long as the message takes; others go ahead meanwhile. */
  delay(from: string, to: string): Promise<void>
}

/** `twice`: a request arrives two times, and one of the answers is lost. */
export type MessageFate = 'arrives' | 'lost' | 'twice'

const calm: NetworkFaults = { fate: () => 'arrives', delay: async () => {} }

/** Peers in one process, with links that can be cut and a network that can be made to misbehave. */
export class MemoryNetwork {
  readonly #handlers = new Map<string, MessageHandler>()
  readonly #cut = new Set<string>()
  readonly #faults: NetworkFaults

  constructor(faults: Partial<NetworkFaults> = {}) {
    this.#faults = { ...calm, ...faults }
  }

  transport(address: string): SyncTransport {
    return {
      type: 'memory',
      send: (to, message, signal) => this.#send(address, to, message, signal),
      listen: async (handler) => this.#listen(address, handler),
      async [Symbol.asyncDispose]() {},
    }
  }

  /** Cuts the link both ways. */
  partition(a: string, b: string): void {
    this.#cut.add(linkOf(a, b))
  }

  heal(a: string, b: string): void {
    this.#cut.delete(linkOf(a, b))
  }

  healAll(): void {
    this.#cut.clear()
  }

  #listen(address: string, handler: MessageHandler): Listening {
    if (this.#handlers.has(address))
      throw new DocumentError('document/transport', `somebody listens at memory:${address} already`)
    this.#handlers.set(address, handler)
    return {
      addresses: [{ type: 'memory', address }],
      [Symbol.asyncDispose]: async () => void this.#handlers.delete(address),
    }
  }

  async #send(from: string, to: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const fate = this.#faults.fate(from, to, 'request')
    await this.#faults.delay(from, to)
    signal.throwIfAborted()
    if (this.#cut.has(linkOf(from, to)) || fate === 'lost') throw unreachable(to)
    const first = await this.#deliver(to, message, signal)
    const answer = fate === 'twice' ? await this.#deliver(to, message, signal).then(() => first) : first
    const way = this.#faults.fate(to, from, 'answer')
    await this.#faults.delay(to, from)
    if (this.#cut.has(linkOf(from, to)) || way === 'lost') throw unreachable(to)
    return answer
  }

  async #deliver(to: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const handler = this.#handlers.get(to)
    if (handler === undefined) throw unreachable(to)
    // Copies, as a wire would make: nobody may see what another changes.
    return Uint8Array.from(await handler(Uint8Array.from(message), signal))
  }
}

function linkOf(a: string, b: string): string {
  return [a, b].sort().join(' ')
}

function unreachable(to: string): DocumentError {
  return new DocumentError('document/unreachable', `memory:${to} does not answer`)
}
