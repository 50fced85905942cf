import type { Clock } from '../../../kernel/clock.ts'

/** Frames in a minute that no client can read, before the peer is given up as broken (spec events §2.18). */
const maxUnreadable = 10
const minuteMs = 60_000
/** Events of subscriptions that never were. */
const maxUninvited = 100
/** Events of subscriptions that were closed: what was under way then still arrives. */
const maxLate = 10_000
/** Well-formed frames with a verb nobody knows: a relay may have extensions, but not for us. */
const maxUnknownVerbs = 1_000

/** What a peer sends that nobody asked for. A method answers what it keeps sending once that is enough to end the connection. */
export class StrayFrames {
  readonly #clock: Clock
  readonly #unreadable: number[] = []
  #uninvited = 0
  #late = 0
  #unknownVerbs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  unreadable(): string | undefined {
    const now = this.#clock.monotonic()
    this.#unreadable.push(now)
    while ((this.#unreadable[0] ?? now) <= now - minuteMs) this.#unreadable.shift()
    return this.#unreadable.length > maxUnreadable ? 'frames that cannot be read' : undefined
  }

  unknownVerb(): string | undefined {
    return ++this.#unknownVerbs > maxUnknownVerbs ? 'frames of no known kind' : undefined
  }

  uninvited(): string | undefined {
    return ++this.#uninvited > maxUninvited ? 'events nobody asked for' : undefined
  }

  late(): string | undefined {
    return ++this.#late > maxLate ? 'events of subscriptions that are closed' : undefined
  }
}
