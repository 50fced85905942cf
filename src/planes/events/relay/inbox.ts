/** One message as it came from the socket. */
export interface Message {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** What a message costs beside its bytes. */
const overheadBytes = 128

/** Messages received and not yet answered, oldest first. Whoever fills it stops reading when `isFull`. */
export class Inbox {
  readonly #maxBytes: number
  #messages: Message[] = []
  #head = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  get isEmpty(): boolean {
    return this.#head === this.#messages.length
  }

  push(message: Message): void {
    this.#messages.push(message)
    this.#bytes += message.data.length + overheadBytes
  }

  shift(): Message | undefined {
    const message = this.#messages[this.#head]
    if (message === undefined) return undefined
    this.#head += 1
    this.#bytes -= message.data.length + overheadBytes
    // Taken messages go in steps: one at a time would move the whole rest each time.
    if (this.isEmpty || this.#head >= 256) {
      this.#messages.splice(0, this.#head)
      this.#head = 0
    }
    return message
  }

  clear(): void {
    this.#messages = []
    this.#head = 0
    this.#bytes = 0
  }
}
