import { z } from 'zod'
import type { Database } from '../../database.ts'
import { DocumentError } from '../../document-error.ts'
import { RecordTable } from '../records/record-table.ts'
import type { SyncAddress } from '../sync-address.ts'
import type { Listening, MessageHandler, SyncTransport, TransportBuilder } from './sync-transport.ts'

const stateSchema = z.object({ type: z.string(), state: z.unknown() })
type StoredState = z.infer<typeof stateSchema>

interface Registered {
  readonly transport: SyncTransport
  listening: Listening | undefined
}

/** Transports by name, with what each keeps from one start to the next. */
export class Transports implements AsyncDisposable {
  readonly #states: RecordTable<StoredState>
  readonly #handler: MessageHandler
  readonly #registered = new Map<string, Registered>()

  private constructor(states: RecordTable<StoredState>, handler: MessageHandler) {
    this.#states = states
    this.#handler = handler
  }

  static async open(database: Database, handler: MessageHandler): Promise<Transports> {
    return new Transports(await RecordTable.open(database, 'transports', stateSchema), handler)
  }

  /** Replaces one of the same name, which stops. Throws `document/transport` when its state is of another type. */
  async register(name: string, builder: TransportBuilder): Promise<void> {
    const built = await builder.build(this.state(name, builder.type))
    const { state } = built
    if (state !== undefined) await this.#states.update(name, () => ({ type: builder.type, state }))
    await this.#remove(name)
    this.#registered.set(name, { transport: built.transport, listening: undefined })
  }

  /** What the transport of that name keeps; undefined: nothing yet. Throws `document/transport` for another type. */
  state(name: string, type: string): unknown {
    const stored = this.#states.get(name)
    if (stored === undefined) return undefined
    if (stored.type === type) return stored.state
    const message = `the stored state of the transport ${name} is of the type ${stored.type}, not ${type}`
    throw new DocumentError('document/transport', message)
  }

  /** Those that dial such addresses, in the order of their registration. */
  dialling(type: string): readonly SyncTransport[] {
    const all = [...this.#registered.values()].map(({ transport }) => transport)
    return all.filter((transport) => transport.type === type)
  }

  /** Starts all that can listen and do not yet; one that cannot does not keep the others from it. */
  async listenAll(): Promise<void> {
    const failures: unknown[] = []
    let started = 0
    for (const [name, { listening }] of this.#registered) {
      if (listening === undefined) await this.listen(name).catch((error: unknown) => failures.push(error))
      started += this.isListening(name) ? 1 : 0
    }
    if (started > 0 || failures.length === 0) return
    const message = `no transport could start: ${failures.map(String).join('; ')}`
    throw new DocumentError('document/transport', message, { cause: failures[0] })
  }

  /** Throws `document/transport` when it listens already, cannot, or is unknown. */
  async listen(name: string): Promise<void> {
    const registered = this.#get(name)
    if (registered.listening !== undefined)
      throw new DocumentError('document/transport', `the transport ${name} listens already`)
    registered.listening = await registered.transport.listen?.(this.#handler)
  }

  /** Throws `document/transport` when it does not listen. */
  async stop(name: string): Promise<void> {
    const registered = this.#get(name)
    if (registered.listening === undefined)
      throw new DocumentError('document/transport', `the transport ${name} does not listen`)
    const { listening } = registered
    registered.listening = undefined
    await listening[Symbol.asyncDispose]()
  }

  async stopAll(): Promise<void> {
    for (const name of this.#registered.keys()) if (this.isListening(name)) await this.stop(name)
  }

  isListening(name: string): boolean {
    return this.#registered.get(name)?.listening !== undefined
  }

  /** Where others can dial, of one transport or of all. */
  addresses(name?: string): readonly SyncAddress[] {
    const all = name === undefined ? [...this.#registered.values()] : [this.#get(name)]
    return all.flatMap(({ listening }) => listening?.addresses ?? [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#registered.keys()]) await this.#remove(name)
  }

  async #remove(name: string): Promise<void> {
    const registered = this.#registered.get(name)
    this.#registered.delete(name)
    await registered?.listening?.[Symbol.asyncDispose]()
    await registered?.transport[Symbol.asyncDispose]()
  }

  #get(name: string): Registered {
    const registered = this.#registered.get(name)
    if (registered === undefined)
      throw new DocumentError('document/transport', `there is no transport ${name}`)
    return registered
  }
}
