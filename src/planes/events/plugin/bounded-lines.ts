/** Cuts a stream of text into lines, holding no more of one than `maxLength` characters. */
export class BoundedLines {
  readonly #maxLength: number
  #rest = ''

  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  /** The lines that ended in `chunk`. One that is too long comes in pieces, all but its last longer than `maxLength`. */
  take(chunk: string): readonly string[] {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length <= this.#maxLength) return lines
    const piece = this.#rest
    this.#rest = ''
    return [...lines, piece]
  }
}
