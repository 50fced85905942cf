import { RowsError } from './rows-error.ts'

/**
 * One thing at a time for each user, before a connection is taken: the database's own lock would make everyone who waits
 * hold a connection, so that one busy user could starve all others (§12 item 30).
 */
export class UserQueue {
  readonly #tails = new Map<string, Tail>()
  readonly #maxWaiting: number

  /** Beyond `maxWaiting` callers of one user, further ones are refused with `service_unavailable`. */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  async run<T>(userId: string, operation: () => Promise<T>): Promise<T> {
    const tail = this.#tails.get(userId) ?? { waiting: 0, last: Promise.resolve() }
    if (tail.waiting > this.#maxWaiting)
      throw new RowsError(
        'service_unavailable',
        'too many requests of this user are waiting; try again later',
        {
          retryAfterSeconds: 1,
        },
      )
    tail.waiting++
    this.#tails.set(userId, tail)
    const result = tail.last.then(operation)
    // Whoever is next must run whether or not this one fails.
    tail.last = result.then(ignore, ignore)
    try {
      return await result
    } finally {
      if (--tail.waiting === 0) this.#tails.delete(userId)
    }
  }
}

interface Tail {
  waiting: number
  last: Promise<void>
}

function ignore(): void {}
