import type { PublicKey } from '../../entry/key-pair.ts'

export interface NonceLimits {
  /** How far a request may be dated from now, milliseconds. */
  readonly windowMs: number
  /** Requests of one device within the window; beyond, it waits. */
  readonly perDevice: number
  /** Requests of all devices within the window. */
  readonly total: number
}

const defaultNonceLimits: NonceLimits = { windowMs: 60_000, perDevice: 20_000, total: 200_000 }

export type NonceVerdict = 'fresh' | 'replayed' | 'expired' | 'full'

/**
 * Requests that were served, remembered for as long as their date would let them be served again. One for all transports
 * of a node; a restart forgets it, and begins an epoch to which no former request belongs.
 */
export class SpentNonces {
  readonly #limits: NonceLimits
  /** When each may be forgotten, oldest first or nearly so. */
  readonly #seen = new Map<string, { readonly device: PublicKey; readonly until: number }>()
  readonly #perDevice = new Map<PublicKey, number>()

  constructor(limits: NonceLimits = defaultNonceLimits) {
    this.#limits = limits
  }

  /** @param now the clock by which `time` was given */
  spend(device: PublicKey, nonce: Uint8Array, time: number, now: number): NonceVerdict {
    const { windowMs, perDevice, total } = this.#limits
    if (Math.abs(now - time) > windowMs) return 'expired'
    this.#forget(now)
    const name = `${device}|${Buffer.from(nonce).toString('base64')}`
    if (this.#seen.has(name)) return 'replayed'
    const count = this.#perDevice.get(device) ?? 0
    if (count >= perDevice || this.#seen.size >= total) return 'full'
    this.#perDevice.set(device, count + 1)
    // Twice the window: dated ahead by one, it can come again until one after its date.
    this.#seen.set(name, { device, until: now + 2 * windowMs })
    return 'fresh'
  }

  #forget(now: number): void {
    for (const [name, { device, until }] of this.#seen) {
      if (until >= now) return
      this.#seen.delete(name)
      const count = this.#perDevice.get(device)! - 1
      if (count === 0) this.#perDevice.delete(device)
      else this.#perDevice.set(device, count)
    }
  }
}
