import type { Logger } from '../../kernel/logger.ts'
import type { DatabaseId, EntryId } from './entry/entry-id.ts'
import type { Advance } from './ingest/ingest-result.ts'

/** The verified frontier of a database moved. Holds no payloads: whoever wants them reads. */
export interface WriteEvent {
  readonly database: DatabaseId
  /** The frontier at the listener's previous event, or at its registration. */
  readonly previousTips: readonly EntryId[]
  readonly postTips: readonly EntryId[]
  /** Written here, or received. */
  readonly source: 'local' | 'remote'
}

/** May answer a promise; nobody waits for it, and a failure of it is logged. */
export type WriteListener = (event: WriteEvent) => void | Promise<void>

interface Registration {
  readonly listener: WriteListener
  /** Undefined for those who listen to everything: they have no cursor. */
  cursor: readonly EntryId[] | undefined
}

/** Tells listeners of durable writes, in the order of their commits. */
export class WriteEvents {
  readonly #log: Logger
  readonly #all = new Set<Registration>()
  readonly #byDatabase = new Map<DatabaseId, Set<Registration>>()

  constructor(log: Logger) {
    this.#log = log
  }

  onAny(listener: WriteListener): Disposable {
    const registration = { listener, cursor: undefined }
    this.#all.add(registration)
    return { [Symbol.dispose]: () => void this.#all.delete(registration) }
  }

  on(database: DatabaseId, cursor: readonly EntryId[], listener: WriteListener): Disposable {
    const registrations = this.#byDatabase.get(database) ?? new Set()
    this.#byDatabase.set(database, registrations)
    const registration: Registration = { listener, cursor }
    registrations.add(registration)
    return {
      [Symbol.dispose]: () => {
        registrations.delete(registration)
        if (registrations.size === 0 && this.#byDatabase.get(database) === registrations)
          this.#byDatabase.delete(database)
      },
    }
  }

  emit({ database, before, after }: Advance, source: WriteEvent['source']): void {
    const registrations = [...this.#all, ...(this.#byDatabase.get(database) ?? [])]
    for (const registration of registrations) {
      const previousTips = registration.cursor ?? before
      // Before the call: the listener may write to this database itself.
      if (registration.cursor !== undefined) registration.cursor = after
      this.#call(registration.listener, { database, previousTips, postTips: after, source })
    }
  }

  #call(listener: WriteListener, event: WriteEvent): void {
    const failed = (error: unknown) => this.#log.error('a write listener failed', { error: String(error) })
    try {
      const result = listener(event)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
