import type { Clock } from '../../../kernel/clock.ts'

/** Candidates are kept for users whose scope is not initialized; older ones than this make room. */
const maxCandidates = 10_000

/**
 * Lets the first device of a new scope wait for a while if it has nothing to upload, so that it does not take the place of
 * one that has (§7). The device that asks again after the delay proceeds; another that asks then must wait in its turn.
 */
export class EmptyStarts {
  readonly #delayMs: number
  readonly #clock: Clock
  readonly #candidates = new Map<string, { readonly sourceId: string; readonly since: number }>()

  constructor(delayMs: number, clock: Clock) {
    this.#delayMs = delayMs
    this.#clock = clock
  }

  /** Whole seconds; 0: proceed. */
  secondsToWait(userId: string, sourceId: string): number {
    if (this.#delayMs <= 0) return 0
    const now = this.#clock.monotonic()
    const candidate = this.#candidates.get(userId)
    const waited = candidate === undefined ? 0 : now - candidate.since
    if (candidate !== undefined && waited >= this.#delayMs) {
      if (candidate.sourceId === sourceId) {
        this.#candidates.delete(userId)
        return 0
      }
      return this.#wait(userId, sourceId, now)
    }
    if (candidate === undefined) return this.#wait(userId, sourceId, now)
    return Math.max(1, Math.ceil((this.#delayMs - waited) / 1_000))
  }

  /** A device with rows came: nobody waits for it any longer. */
  forget(userId: string): void {
    this.#candidates.delete(userId)
  }

  #wait(userId: string, sourceId: string, now: number): number {
    this.#candidates.delete(userId)
    this.#candidates.set(userId, { sourceId, since: now })
    if (this.#candidates.size > maxCandidates) this.#candidates.delete(this.#candidates.keys().next().value!)
    return Math.max(1, Math.ceil(this.#delayMs / 1_000))
  }
}
