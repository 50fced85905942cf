import type { Sha256 } from './sha256.ts'

/** Encoding and hashing cost per call, which for texts of a row each is as much as the work itself. */
const charsPerUpdate = 16 * 1024

/** The hash of texts one after the other, in UTF-8. */
export class TextHasher {
  readonly #hash: Sha256
  readonly #utf8 = new TextEncoder()
  #pending = ''
  #bytes = 0

  constructor(hash: Sha256) {
    this.#hash = hash
  }

  /** Every text must be well formed: a surrogate pair is not to be split between two. */
  add(text: string): void {
    this.#pending += text
    if (this.#pending.length >= charsPerUpdate) this.#flush()
  }

  /** The hash and how many bytes it covers. Ends the hasher. */
  finish(): { readonly sha256: Uint8Array; readonly byteCount: number } {
    this.#flush()
    return { sha256: this.#hash.digest(), byteCount: this.#bytes }
  }

  #flush(): void {
    const bytes = this.#utf8.encode(this.#pending)
    this.#pending = ''
    this.#bytes += bytes.length
    this.#hash.update(bytes)
  }
}
