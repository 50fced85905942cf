import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '../../kernel/clock.ts'

/** How long what was read is trusted without looking at the file again. */
const trustMs = 1_000

/** What a file says, read again when it changes. */
export class WatchedFile<T> {
  readonly #path: string
  readonly #parse: (bytes: Buffer) => T | Promise<T>
  readonly #clock: Clock
  #known: { readonly stamp: string; readonly value: Promise<T> } | undefined
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(path: string, parse: (bytes: Buffer) => T | Promise<T>, clock: Clock) {
    this.#path = path
    this.#parse = parse
    this.#clock = clock
  }

  /** Rejects with what reading or parsing it says; the next call tries again. */
  async value(): Promise<T> {
    const now = this.#clock.monotonic()
    if (this.#known !== undefined && now - this.#lookedAt < trustMs) return this.#known.value
    const { mtimeMs, size, ino } = await stat(this.#path)
    const stamp = `${mtimeMs}/${size}/${ino}`
    this.#lookedAt = now
    if (this.#known?.stamp !== stamp) {
      const value = readFile(this.#path).then(this.#parse)
      const known = { stamp, value }
      this.#known = known
      value.catch(() => {
        if (this.#known === known) this.#known = undefined
      })
    }
    return this.#known!.value
  }
}
