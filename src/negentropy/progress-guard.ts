import { NegentropyError } from './negentropy-error.ts'

/** Rounds that need no justification. */
const freeRounds = 64

/** Bytes that justify another round: under the smallest frame limits an honest round moves a multiple of it. */
const bytesPerRound = 128

/** Times one and the same answer may be given without anything new in between. */
const maxRepeats = 5

/**
 * Ends sessions that lead nowhere. Without it a peer that answers every message with another wrong fingerprint keeps
 * us busy for ever, with bytes that cost it nothing.
 */
export class ProgressGuard {
  readonly #maxRounds: number
  readonly #repeats = new Map<number, number>()
  #rounds = 0
  #bytes = 0

  constructor(maxRounds: number) {
    this.#maxRounds = maxRounds
  }

  /** Messages consumed. */
  get rounds(): number {
    return this.#rounds
  }

  /** Counts a message before it is looked at. Throws `negentropy/no-progress`. */
  begin(message: Uint8Array): void {
    this.#rounds++
    this.#bytes += message.length
    const justified = freeRounds + this.#bytes / bytesPerRound
    if (this.#rounds > Math.min(this.#maxRounds, justified)) throw noProgress(`${this.#rounds} rounds`)
  }

  /** Counts the answer. Throws `negentropy/no-progress`. */
  end(answer: Uint8Array, learned: boolean): void {
    this.#bytes += answer.length
    if (learned) return this.#repeats.clear()
    const hash = hashOf(answer)
    const repeats = (this.#repeats.get(hash) ?? 0) + 1
    this.#repeats.set(hash, repeats)
    if (repeats > maxRepeats) throw noProgress(`the same answer ${repeats} times`)
  }
}

/** FNV-1a; a chance collision six times in a row is not to be expected. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

function noProgress(what: string): NegentropyError {
  return new NegentropyError('negentropy/no-progress', `reconciliation leads nowhere: ${what}`)
}
