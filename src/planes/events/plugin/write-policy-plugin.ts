import { access, constants, stat } from 'node:fs/promises'
import type { Clock, Random } from '../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import { defaultRetryPolicy, nextDelay, type RetryPolicy } from '../../../kernel/retry.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import type { NostrEvent } from '../event.ts'
import { EventError, type ReasonPrefix } from '../event-error.ts'
import type { EventSource, PolicyContext, Refusal, WritePolicy } from '../write-policy.ts'
import { type PluginVerdict, requestLine } from './plugin-message.ts'
import { PluginFailure, PluginProcess } from './plugin-process.ts'

export interface WritePolicyPluginOptions {
  /** An executable; it gets no arguments. */
  readonly path: string
  readonly clock: Clock
  readonly random: Random
  readonly log?: Logger | undefined
  /** Default: 10 s. */
  readonly timeoutMs?: number | undefined
  /** How long it may take to end when asked to. Default: 2 s. */
  readonly graceMs?: number | undefined
  /** Events the plugin is asked about at the same time; others wait. Default: 64. */
  readonly maxInFlight?: number | undefined
  /** Events that may wait; beyond it they fail. Default: 10,000. */
  readonly maxWaiting?: number | undefined
}

export interface WritePolicyPlugin extends AsyncDisposable {
  readonly policy: WritePolicy
}

/** Looking at the script's time for every event would cost more than asking many a plugin. */
const scriptCheckMs = 1_000
const restarts: RetryPolicy = { ...defaultRetryPolicy, initialMs: 250, maxMs: 60_000, leastShare: 0 }
const prefixes: readonly ReasonPrefix[] = [
  'pow',
  'blocked',
  'rate-limited',
  'invalid',
  'restricted',
  'mute',
  'error',
  'auth-required',
]

/**
 * A program that decides which events come in, spoken to line by line as by other relays (spec events §7.4). It is
 * started with the first event, again after it crashed, and again once its file has changed.
 *
 * While it gives no verdict, events are `failed`: a client may send them again, a sync tries again by itself.
 *
 * @throws SyncError `config/invalid` when `path` cannot be executed
 */
export async function openWritePolicyPlugin(options: WritePolicyPluginOptions): Promise<WritePolicyPlugin> {
  try {
    await access(options.path, constants.X_OK)
  } catch {
    throw new SyncError('config/invalid', `writePolicyPlugin: ${options.path} is not an executable file`)
  }
  return new PluginKeeper(options)
}

class PluginKeeper implements WritePolicyPlugin {
  readonly policy: WritePolicy = (event, context) => this.#decide(event, context)
  readonly #options: WritePolicyPluginOptions
  readonly #log: Logger
  readonly #waiting: (() => void)[] = []
  readonly #retiring = new Set<PluginProcess>()
  #inFlight = 0
  #process: PluginProcess | undefined
  #failures = 0
  #notBefore = Number.NEGATIVE_INFINITY
  #checkedAt = Number.NEGATIVE_INFINITY
  #modified: number | undefined
  #closed = false

  constructor(options: WritePolicyPluginOptions) {
    this.#options = options
    this.#log = options.log ?? silentLogger
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const processes = [...this.#retiring, ...(this.#process === undefined ? [] : [this.#process])]
    await Promise.all(processes.map((plugin) => plugin[Symbol.asyncDispose]()))
  }

  async #decide(event: NostrEvent, context: PolicyContext): Promise<Refusal> {
    if (!(await this.#enter())) return 'failed'
    try {
      await this.#followScript()
      const plugin = this.#running()
      if (plugin === undefined) return 'failed'
      const verdict = await plugin.ask(event.id, requestLine(event, context))
      this.#failures = 0
      return refusalFor(verdict, context.source)
    } catch (error) {
      if (error instanceof PluginFailure) return 'failed'
      throw error
    } finally {
      this.#leave()
    }
  }

  /** False when too many wait already. */
  async #enter(): Promise<boolean> {
    const { maxInFlight = 64, maxWaiting = 10_000 } = this.#options
    if (this.#inFlight < maxInFlight) {
      this.#inFlight++
      return true
    }
    if (this.#waiting.length >= maxWaiting) return false
    // Whoever leaves hands its place over, so the count stays.
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return true
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#inFlight--
    else next()
  }

  /** A new version of the script takes over; what the old one was asked, it still answers. */
  async #followScript(): Promise<void> {
    const { clock, path } = this.#options
    if (clock.monotonic() - this.#checkedAt < scriptCheckMs) return
    this.#checkedAt = clock.monotonic()
    // While it is being replaced there may be none for a moment.
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => this.#modified,
    )
    const changed = this.#modified !== undefined && modified !== this.#modified
    this.#modified = modified
    if (!changed) return
    this.#log.info('the write policy plugin has changed and is started again', { path })
    this.#failures = 0
    this.#notBefore = Number.NEGATIVE_INFINITY
    const old = this.#process
    this.#process = undefined
    if (old === undefined) return
    this.#retiring.add(old)
    void old.retire().finally(() => this.#retiring.delete(old))
  }

  /** The process to ask, started if need be; undefined while none may be started. */
  #running(): PluginProcess | undefined {
    if (this.#closed) return undefined
    if (this.#process?.running) return this.#process
    const { clock, path, timeoutMs = 10_000, graceMs = 2_000 } = this.#options
    if (clock.monotonic() < this.#notBefore) return undefined
    const onFailure = (reason: string) => {
      // One that has been replaced says nothing about its successor.
      if (this.#process === started) this.#failed(reason)
    }
    const started = new PluginProcess(path, { clock, log: this.#log, timeoutMs, graceMs, onFailure })
    this.#process = started
    return started
  }

  #failed(reason: string): void {
    const { clock, path, random } = this.#options
    const delayMs = nextDelay(restarts, ++this.#failures, random()) ?? restarts.maxMs
    this.#notBefore = clock.monotonic() + delayMs
    this.#log.error('the write policy plugin failed; no event is accepted until it runs again', {
      path,
      reason,
      delayMs,
    })
  }
}

function refusalFor({ action, message }: PluginVerdict, source: EventSource): Refusal {
  if (action === 'accept') return undefined
  // Only a client is to be misled; a report of an import or a sync is read by the operator, who is not.
  if (action === 'shadowReject' && source === 'client') return 'shadowed'
  const prefix = prefixes.find((one) => message.startsWith(`${one}:`))
  const rest = prefix === undefined ? message : message.slice(prefix.length + 1).trim()
  const text = rest === '' ? 'refused by the policy of this relay' : rest
  return new EventError('event/policy-refused', prefix ?? 'blocked', text)
}
