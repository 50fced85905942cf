import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import { BoundedLines } from './bounded-lines.ts'
import { type PluginVerdict, parseAnswer } from './plugin-message.ts'

/** The plugin did not decide: it crashed, hung, or answered nonsense. */
export class PluginFailure extends Error {
  override readonly name = 'PluginFailure'
}

export interface PluginProcessOptions {
  readonly clock: Clock
  readonly log: Logger
  /** How long the request that has waited longest may wait before the plugin counts as hung. */
  readonly timeoutMs: number
  /** How long a plugin that was asked to end may take. */
  readonly graceMs: number
  /** Called once, before anybody waiting learns of it, with what ended a process that nobody asked to end. */
  readonly onFailure: (reason: string) => void
}

interface Request {
  readonly id: string
  readonly resolve: (verdict: PluginVerdict) => void
  readonly reject: (error: PluginFailure) => void
}

/** Verdicts are short; what is longer is no verdict, and must not pile up here. */
const maxAnswerLength = 65_536
const maxStderrLength = 1_000
const maxStderrLines = 50
const stderrWindowMs = 60_000

/** One running plugin. Requests are answered in any order and matched by event id. */
export class PluginProcess implements AsyncDisposable {
  readonly #options: PluginProcessOptions
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #closed: Promise<unknown>
  readonly #ended = new AbortController()
  /** In the order of asking. */
  readonly #requests = new Set<Request>()
  #drained: (() => void) | undefined
  #oldestSince = 0
  #stderr = { since: Number.NEGATIVE_INFINITY, lines: 0 }

  /** Starts `path` without a shell and without arguments. What cannot be started fails like what crashes. */
  constructor(path: string, options: PluginProcessOptions) {
    this.#options = options
    this.#child = spawn(path, [], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
    this.#closed = once(this.#child, 'close').catch(() => undefined)
    this.#child.on('error', (error) => this.#fail(`it could not be run: ${error.message}`))
    this.#child.on('exit', (code, signal) => void this.#exited(ending(code, signal)))
    this.#child.on('close', (code, signal) => this.#fail(ending(code, signal)))
    this.#child.stdin.on('error', () => this.#fail('it no longer reads its input'))
    this.#listen()
    void this.#watch()
  }

  get running(): boolean {
    return !this.#ended.signal.aborted
  }

  /** @throws PluginFailure when the plugin gives no verdict on this event */
  ask(id: string, line: string): Promise<PluginVerdict> {
    return new Promise((resolve, reject) => {
      if (!this.running) return reject(new PluginFailure('the plugin is not running'))
      if (this.#requests.size === 0) this.#oldestSince = this.#options.clock.monotonic()
      this.#requests.add({ id, resolve, reject })
      this.#child.stdin.write(line)
    })
  }

  /** Ends the process once everything asked of it is settled. */
  async retire(): Promise<void> {
    if (this.#requests.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    await this[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, graceMs } = this.#options
    this.#end('the plugin is being ended')
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      this.#child.stdin.end()
      this.#child.kill('SIGTERM')
      const done = new AbortController()
      const grace = clock.sleep(graceMs, done.signal).catch(() => undefined)
      await Promise.race([this.#closed, grace])
      done.abort()
    }
    this.#destroy()
    await this.#closed
  }

  #listen(): void {
    const { stdout, stderr } = this.#child
    const answers = new BoundedLines(maxAnswerLength)
    stdout.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of answers.take(chunk)) this.#answer(line)
    })
    const complaints = new BoundedLines(maxStderrLength)
    stderr.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of complaints.take(chunk)) this.#complain(line)
    })
  }

  #answer(line: string): void {
    if (line.length > maxAnswerLength) return this.#fail('it answered with a line without end')
    const answer = parseAnswer(line)
    const request = answer && this.#requests.values().find(({ id }) => id === answer.id)
    if (answer === undefined || request === undefined) {
      if (line.trim() !== '') this.#complain(`answers nothing that was asked: ${line}`)
      return
    }
    // The next one has its own time from now on: a slow plugin that keeps answering is not a hung one.
    if (this.#requests.values().next().value === request) this.#oldestSince = this.#options.clock.monotonic()
    this.#requests.delete(request)
    if (answer.verdict !== undefined) request.resolve(answer.verdict)
    else request.reject(new PluginFailure('the plugin answered with an unknown action'))
    if (this.#requests.size === 0) this.#drained?.()
  }

  /** What a plugin writes for people, in bounds: it must not be able to fill the log. */
  #complain(line: string): void {
    const { clock, log } = this.#options
    const now = clock.monotonic()
    if (now - this.#stderr.since >= stderrWindowMs) this.#stderr = { since: now, lines: 0 }
    const lines = ++this.#stderr.lines
    if (lines < maxStderrLines)
      log.warn('the write policy plugin says', { line: line.slice(0, maxStderrLength) })
    else if (lines === maxStderrLines) log.warn('the write policy plugin says more, left out for a minute')
  }

  async #watch(): Promise<void> {
    const { clock, timeoutMs } = this.#options
    while (this.running) {
      const since = this.#requests.size === 0 ? clock.monotonic() : this.#oldestSince
      await clock
        .sleep(Math.max(1, since + timeoutMs - clock.monotonic()), this.#ended.signal)
        .catch(() => undefined)
      if (this.#requests.size > 0 && clock.monotonic() - this.#oldestSince >= timeoutMs)
        this.#fail(`it did not answer for ${timeoutMs / 1_000} seconds`)
    }
  }

  /** Answers written just before the end are still read; but a grandchild that holds the pipe open holds nobody up. */
  async #exited(reason: string): Promise<void> {
    const { clock, graceMs } = this.#options
    const done = new AbortController()
    await Promise.race([this.#closed, clock.sleep(graceMs, done.signal).catch(() => undefined)])
    done.abort()
    this.#fail(reason)
  }

  #fail(reason: string): void {
    if (!this.running) return
    this.#options.onFailure(reason)
    this.#end(`the plugin failed: ${reason}`)
    this.#destroy()
  }

  #end(reason: string): void {
    this.#ended.abort()
    const open = [...this.#requests]
    this.#requests.clear()
    for (const { reject } of open) reject(new PluginFailure(reason))
    this.#drained?.()
  }

  #destroy(): void {
    this.#child.kill('SIGKILL')
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy()
  }
}

function ending(code: number | null, signal: NodeJS.Signals | null): string {
  return `it ended with ${signal ?? `code ${code}`}`
}
