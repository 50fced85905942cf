import { z } from 'zod'
import { type DatabaseId, type EntryId, parseId } from '../../entry/entry-id.ts'
import type { PublicKey } from '../../entry/key-pair.ts'
import type { Instance } from '../../instance.ts'

const stateSchema = z.object({
  /** Tips both sides held at some moment: everything below need not be spoken of. A hint; losing it costs time only. */
  agreed: z.array(z.string().transform((text): EntryId => parseId(text))),
  /** Milliseconds since 1970. */
  lastSuccess: z.number().optional(),
  lastAttempt: z.number().optional(),
  /** Of the last attempt, where that failed. */
  lastError: z.string().optional(),
  lastErrorCode: z.string().optional(),
  successes: z.number(),
  failures: z.number(),
  received: z.number(),
  sent: z.number(),
})

/** How the sync of one database with one peer is going. */
export type LinkState = z.infer<typeof stateSchema>

const attemptSchema = z.object({
  tree: z.string(),
  startedAt: z.number(),
  durationMs: z.number(),
  received: z.number(),
  sent: z.number(),
  bytes: z.number(),
  requests: z.number(),
  /** Absent when it succeeded. */
  error: z.string().optional(),
  errorCode: z.string().optional(),
})

/** One attempt to bring a database in step with a peer. */
export type SyncAttempt = z.infer<typeof attemptSchema>

/** What is lost of it the next exchange finds out: nobody waits for the disk because of it. */
const hint = { durable: false }

const fresh: LinkState = { agreed: [], successes: 0, failures: 0, received: 0, sent: 0 }
const historySchema = z.array(attemptSchema)
const maxAttempts = 100

/**
 * Progress and history, beside the databases and not in one: every touch of a versioned record would stay for ever.
 * What is not readable is as good as new.
 */
export class LinkStates {
  readonly #instance: Instance
  readonly #states = new Map<string, LinkState>()
  readonly #histories = new Map<PublicKey, readonly SyncAttempt[]>()

  constructor(instance: Instance) {
    this.#instance = instance
  }

  async get(peer: PublicKey, tree: DatabaseId): Promise<LinkState> {
    const name = stateName(peer, tree)
    const known = this.#states.get(name) ?? (await this.#load(name, stateSchema)) ?? fresh
    // Somebody may have been faster.
    const state = this.#states.get(name) ?? known
    this.#states.set(name, state)
    return state
  }

  /** Both sides hold these and everything below. */
  async agree(peer: PublicKey, tree: DatabaseId, tips: readonly EntryId[]): Promise<void> {
    const state = await this.get(peer, tree)
    if (tips.join() === state.agreed.join()) return
    const next = { ...state, agreed: [...tips] }
    this.#states.set(stateName(peer, tree), next)
    await this.#instance.setNotes([[stateName(peer, tree), JSON.stringify(next)]], hint)
  }

  /**
   * Notes how an attempt ended.
   *
   * @param agreed the frontier both sides hold after it, where it was found out
   */
  async record(
    peer: PublicKey,
    attempt: SyncAttempt & { readonly tree: DatabaseId },
    agreed?: readonly EntryId[],
  ): Promise<void> {
    const state = await this.get(peer, attempt.tree)
    const before = await this.history(peer)
    const next = { ...after(state, attempt), agreed: [...(agreed ?? state.agreed)] }
    const history = [attempt, ...before].slice(0, maxAttempts)
    this.#states.set(stateName(peer, attempt.tree), next)
    this.#histories.set(peer, history)
    await this.#instance.setNotes(
      [
        [stateName(peer, attempt.tree), JSON.stringify(next)],
        [historyName(peer), JSON.stringify(history)],
      ],
      hint,
    )
  }

  /** Newest first. */
  async history(peer: PublicKey, limit = maxAttempts): Promise<readonly SyncAttempt[]> {
    const known = this.#histories.get(peer) ?? (await this.#load(historyName(peer), historySchema)) ?? []
    const history = this.#histories.get(peer) ?? known
    this.#histories.set(peer, history)
    return history.slice(0, limit)
  }

  async #load<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#instance.note(name)
    if (text === undefined) return undefined
    try {
      return schema.parse(JSON.parse(text))
    } catch {
      return undefined
    }
  }
}

function after(state: LinkState, attempt: SyncAttempt): LinkState {
  const { startedAt, durationMs, error, errorCode, received, sent } = attempt
  const { agreed, successes, failures, lastSuccess } = state
  const common = {
    agreed,
    lastAttempt: startedAt,
    received: state.received + received,
    sent: state.sent + sent,
  }
  if (error === undefined)
    return { ...common, lastSuccess: startedAt + durationMs, successes: successes + 1, failures }
  const since = lastSuccess === undefined ? {} : { lastSuccess }
  const code = errorCode === undefined ? {} : { lastErrorCode: errorCode }
  return { ...common, ...since, ...code, lastError: error, successes, failures: failures + 1 }
}

function stateName(peer: PublicKey, tree: DatabaseId): string {
  return `sync/${peer}/${tree}`
}

function historyName(peer: PublicKey): string {
  return `sync-history/${peer}`
}
