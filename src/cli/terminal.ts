import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import type { WriteStream } from 'node:tty'
import type { Explanation } from './failure.ts'

const redrawMs = 100

/** Where a command reads, and where it says what. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream & AsyncIterable<Buffer>
  readonly stdout: NodeJS.WritableStream
  readonly stderr: WriteStream | NodeJS.WritableStream
}

/** What a command says and hears: results on stdout, everything for people on stderr, Ctrl-C as a signal. */
export class Terminal implements Disposable {
  readonly input: Streams['stdin']
  readonly #out: NodeJS.WritableStream
  readonly #err: Streams['stderr']
  readonly #interrupt = new AbortController()
  #drawnAt = 0
  #drawn = false
  json = false
  exitCode = 0

  constructor({ stdin, stdout, stderr }: Streams) {
    this.input = stdin
    this.#out = stdout
    this.#err = stderr
    process.on('SIGINT', this.#onSignal)
    process.on('SIGTERM', this.#onSignal)
  }

  /** Aborts at the first Ctrl-C or SIGTERM; the second ends the process at once. */
  get signal(): AbortSignal {
    return this.#interrupt.signal
  }

  /** One line of the result. Waits while the reader is slow, so that an export never piles up in memory. */
  async print(line: string): Promise<void> {
    if (!this.#out.write(`${line}\n`)) await once(this.#out, 'drain', { signal: this.signal })
  }

  /** The result of a command: as JSON with --json, else as the text given. */
  async result(value: unknown, text: () => string): Promise<void> {
    this.clear()
    await this.print(this.json ? JSON.stringify(value) : text())
  }

  /** A remark for a person; not shown to scripts. */
  note(text: string): void {
    if (this.json) return
    this.clear()
    this.#err.write(`${text}\n`)
  }

  /** Asks a person; without one (input at its end) the answer is empty. */
  async ask(question: string): Promise<string> {
    this.clear()
    const lines = createInterface({ input: this.input, output: this.#err })
    const ended = once(lines, 'close').then(() => '')
    try {
      return await Promise.race([lines.question(question, { signal: this.signal }), ended])
    } finally {
      lines.close()
    }
  }

  fail({ code, message }: Explanation): void {
    this.clear()
    const line = message.replaceAll(/\s*\n\s*/g, ' ')
    this.#err.write(
      this.json ? `${JSON.stringify({ error: { code, message } })}\n` : `syncline: ${line} [${code}]\n`,
    )
  }

  /** Redraws the progress line, on a terminal only and not more often than a person can see. */
  progress(text: () => string): void {
    if (this.json || !('isTTY' in this.#err) || !this.#err.isTTY) return
    const now = performance.now()
    if (now - this.#drawnAt < redrawMs) return
    this.#drawnAt = now
    this.#drawn = true
    this.#err.write(`\r\u001b[K${text().slice(0, (this.#err.columns ?? 80) - 1)}`)
  }

  clear(): void {
    if (!this.#drawn) return
    this.#err.write('\r\u001b[K')
    this.#drawn = false
    this.#drawnAt = 0
  }

  [Symbol.dispose](): void {
    this.clear()
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
  }

  readonly #onSignal = () => {
    // A shutdown that hangs must still be stoppable by hand.
    if (this.#interrupt.signal.aborted) process.exit(130)
    this.#interrupt.abort(new DOMException('interrupted', 'AbortError'))
  }
}
