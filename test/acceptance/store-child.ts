import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./store-process.ts', import.meta.url))

/** Runs `store-process.ts`; disposing kills it without a chance to clean up. */
export class StoreChild implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  /** What it has said so far. */
  readonly lines: string[] = []
  #heard = Promise.withResolvers<void>()

  /** @param shell commands that limit the process, such as `ulimit -f 100` */
  constructor(mode: 'write' | 'fill' | 'migrate' | 'hold', dir: string, round = '', shell = ':') {
    const command = `${shell}; exec "$0" "$@"`
    this.#child = spawn('sh', ['-c', command, process.execPath, script, mode, dir, round], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#closed = once(this.#child, 'close')
    createInterface({ input: this.#child.stdout! })
      .on('line', (line) => {
        this.lines.push(line)
        this.#hear()
      })
      .on('close', () => this.#hear())
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves once it has said `count` lines. */
  async said(count: number): Promise<void> {
    while (this.lines.length < count) {
      if (this.#child.exitCode !== null) throw new Error(`the child ended with ${this.#child.exitCode}`)
      await this.#heard.promise
    }
  }

  /** Resolves once it has ended by itself. */
  async ended(): Promise<void> {
    await this.#closed
  }

  /** Everything it said before it died is in `lines` when this resolves. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  #hear(): void {
    this.#heard.resolve()
    this.#heard = Promise.withResolvers()
  }
}
