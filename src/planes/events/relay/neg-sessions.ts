import type { Reconciler } from '../event-store.ts'

/** While a message is being answered, its session is not idle, however long that takes. */
const busy = Number.POSITIVE_INFINITY

interface Session {
  readonly reconciler: Reconciler
  readonly release: () => void
  usedAt: number
}

/**
 * The open negentropy sessions of one connection, by the client's id; a namespace of their own beside REQ (NIP-77).
 * Each holds a snapshot, so each is disposed exactly once: by NEG-CLOSE, an error, its replacement, idling, or the end
 * of the connection.
 */
export class NegSessions {
  readonly #sessions = new Map<string, Session>()

  get size(): number {
    return this.#sessions.size
  }

  has(id: string): boolean {
    return this.#sessions.has(id)
  }

  /** A new session, busy with its first message. @param release gives back what the limiter counted for it */
  add(id: string, reconciler: Reconciler, release: () => void): void {
    this.#sessions.set(id, { reconciler, release, usedAt: busy })
  }

  /** The session's reconciler, now busy with a message; undefined when there is none. */
  take(id: string): Reconciler | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    session.usedAt = busy
    return session.reconciler
  }

  /** The message has been answered. @param now monotonic milliseconds */
  rest(id: string, now: number): void {
    const session = this.#sessions.get(id)
    if (session !== undefined) session.usedAt = now
  }

  /** Ids of the sessions unused since `before`. */
  idleSince(before: number): readonly string[] {
    return [...this.#sessions].filter(([, { usedAt }]) => usedAt < before).map(([id]) => id)
  }

  /** Ids of the sessions of which a message is being answered. */
  busy(): readonly string[] {
    return [...this.#sessions].filter(([, { usedAt }]) => usedAt === busy).map(([id]) => id)
  }

  /** Frees the session; an unknown id is ignored. */
  async remove(id: string): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    session.release()
    await session.reconciler[Symbol.asyncDispose]()
  }

  async clear(): Promise<void> {
    await Promise.allSettled([...this.#sessions.keys()].map((id) => this.remove(id)))
  }
}
