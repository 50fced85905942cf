/** One event of a `text/event-stream`. */
export interface StreamEvent {
  readonly name: string
  /** Its data lines, joined by newlines. */
  readonly data: string
}

/** A line longer than this is no hint of any server. */
const maxLineChars = 64 * 1024

/** Cuts a `text/event-stream` into events (§8.15), from pieces cut anywhere. Comments and unknown fields are skipped. */
export class EventStreamParser {
  #rest = ''
  #name = ''
  #data: string[] = []

  /** @throws RangeError on a line beyond all measure */
  push(text: string): readonly StreamEvent[] {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > maxLineChars) throw new RangeError('a line of the event stream has no end')
    return lines.flatMap((line) => this.#line(line.endsWith('\r') ? line.slice(0, -1) : line))
  }

  #line(line: string): readonly StreamEvent[] {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#name = value
    if (field === 'data') this.#data.push(value)
    return []
  }

  #dispatch(): readonly StreamEvent[] {
    const event = { name: this.#name, data: this.#data.join('\n') }
    const hasData = this.#data.length > 0
    this.#name = ''
    this.#data = []
    return hasData ? [event] : []
  }
}
