import type { ParsedEvent } from './event.ts'

/** Why an event is kept without being stored, and what would change that. */
export interface HoldTerms {
  /** Any of these satisfied, it is looked at again. See `satisfiedBy`. */
  readonly keys: readonly string[]
  /** How long it is kept, from now on. */
  readonly seconds: number
  /** What its sender is told, with its prefix. */
  readonly reason: string
  /** Whether its sender is told that it was accepted. */
  readonly accepted: boolean
}

/** An event whose id and signature were checked and that may not be stored yet. Nobody can read it. */
export interface HeldEvent {
  readonly parsed: ParsedEvent
  readonly terms: HoldTerms
  /** Whether it is kept once more when it was given up lately: yes for somebody who sends it, not for a sync that finds it. */
  readonly again: boolean
}

export interface HoldBounds {
  readonly maxEvents: number
  readonly maxBytes: number
  readonly maxPerAuthor: number
  /** Seconds for which an event that was given up is remembered by its id, so that it is not fetched again and again. */
  readonly coldSeconds: number
  readonly maxCold: number
}

export interface HoldStatus {
  readonly events: number
  readonly bytes: number
  /** Given up and remembered by their ids. */
  readonly cold: number
  /** Left out for want of room since the store was opened, and given up because their time was over. */
  readonly refused: number
  readonly expired: number
}

/**
 * Events that arrived before what they depend on: relays hand out the newest first, so a comment regularly comes before its
 * thread and a state before its repository. Durable, as a sync that disposed of them does not ask for them again; bounded, as
 * anybody can send what belongs to nothing.
 */
export interface EventHold<Tx> {
  /** Answers for each whether it is kept now; one held already keeps its time. */
  holdIn(tx: Tx, events: readonly HeldEvent[]): Promise<readonly boolean[]>
  /** The same in a transaction of its own. */
  hold(events: readonly HeldEvent[]): Promise<readonly boolean[]>
  /** Kept events that wait for one of these, in the order of their `created_at`; at most `limit`. They stay held. */
  waitingFor(keys: readonly string[], limit: number): Promise<readonly ParsedEvent[]>
  /** They were stored or refused for good: they wait for nothing any more. */
  release(ids: readonly string[]): Promise<void>
  /** What was given up and would have waited for one of these may be fetched anew. */
  forget(keys: readonly string[]): Promise<void>
  /** Of `ids`, those held or given up lately: what is not fetched again. */
  held(ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Gives up what waited for too long; answers their ids. */
  sweep(): Promise<readonly string[]>
  /** Called with the keys of what is newly held, maybe before that is committed. */
  onHeld(listener: (keys: readonly string[]) => void): Disposable
  status(): Promise<HoldStatus>
}
