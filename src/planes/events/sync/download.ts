import type { AttemptState } from './attempt-state.ts'
import { onlyAsked, refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'
import { Tally } from './tally.ts'

/** Ids waiting to be asked for; beyond it the reconciliation that finds them waits. */
const maxQueued = 20_000
const maxInFlight = 8

interface Wanted {
  readonly id: string
  readonly tally: Tally
}

/**
 * Fetches events by id: several REQs in flight, each batch checked and committed as one. How many run at once grows
 * while the relay answers and halves when it asks to slow down.
 */
export class Download<Tx> {
  readonly #state: AttemptState<Tx>
  readonly #queue: Wanted[] = []
  readonly #running = new Set<Promise<void>>()
  #batchSize: number
  #window = 2
  #failure: unknown
  #draining = false
  #roomMade: () => void = () => {}

  constructor(state: AttemptState<Tx>) {
    const { settings, info } = state
    this.#state = state
    this.#batchSize = Math.min(
      settings.batchSize,
      settings.maxFilterLimit,
      info.maxLimit ?? settings.batchSize,
      idsPerMessage(info.maxMessageLength),
    )
  }

  /** Queues ids; waits while too many are queued. Throws what made a batch fail. */
  async push(offered: readonly string[], tally: Tally = new Tally()): Promise<void> {
    const { store, ingest } = this.#state
    const refused = (await store.refused(offered)).union(await ingest.held(offered))
    this.#state.counters.refusedBefore += refused.size
    const ids = refused.size === 0 ? offered : offered.filter((id) => !refused.has(id))
    this.#state.outstanding += ids.length
    tally.add(ids.length)
    for (const id of ids) this.#queue.push({ id, tally })
    this.#pump()
    while (this.#queue.length > maxQueued && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Resolves when everything queued so far was disposed of. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#pump()
    while (this.#running.size > 0) await Promise.all(this.#running)
    this.#draining = false
    if (this.#failure !== undefined) throw this.#failure
  }

  #pump(): void {
    while (this.#failure === undefined && this.#running.size < this.#window && this.#queue.length > 0) {
      // A part batch goes out only when nothing else is under way: the next round usually fills it.
      if (this.#queue.length < this.#batchSize && !this.#draining && this.#running.size > 0) return
      const batch = this.#queue.splice(0, this.#batchSize)
      const work = this.#fetch(new Set(batch.map(({ id }) => id)))
        .then((withheld) => {
          for (const { tally } of batch) tally.done(1, withheld)
        })
        .catch((error: unknown) => {
          this.#failure ??= error
        })
        .finally(() => {
          this.#running.delete(work)
          this.#pump()
          this.#roomMade()
        })
      this.#running.add(work)
    }
  }

  /** One batch, until each of its ids was delivered or found missing twice in a row. @returns whether none was */
  async #fetch(batch: ReadonlySet<string>): Promise<boolean> {
    let missing = batch
    let deliveries = 0
    while (missing.size > 0) {
      const { client, pace, settings } = this.#state
      // Never an empty list of ids: to some relays that means "everything".
      const result = await client.fetch({ ids: [...missing] }, missing.size * 2, settings.fetchTimeoutMs)
      if (result.end === 'closed') {
        this.#window = Math.max(1, this.#window >> 1)
        if (reasonPrefix(result.reason) === 'rate-limited' && (await pace.pause())) continue
        throw refusal(client.url, 'a REQ', result.reason)
      }
      pace.ease()
      const asked = onlyAsked(result.raws, missing)
      this.#state.counters.unsolicited += result.raws.length - asked.size
      await this.#state.receive([...asked.values()])
      const before = missing.size
      missing = missing.difference(asked)
      this.#state.outstanding -= before - missing.size
      deliveries++
      // What a relay hands out at once is learned from it when it took several REQs to get one batch.
      if (deliveries > 1 && asked.size > 0)
        this.#batchSize = Math.min(this.#batchSize, Math.max(10, asked.size))
      if (missing.size === before && deliveries > 1) break
      if (missing.size === 0) this.#window = Math.min(maxInFlight, this.#window + 1)
    }
    this.#state.counters.missing += missing.size
    this.#state.outstanding -= missing.size
    return missing.size === batch.size
  }
}

/** `"<64 hex>",` is 67 characters; the rest of the frame is small. */
function idsPerMessage(maxMessageLength: number | undefined): number {
  if (maxMessageLength === undefined) return Number.MAX_SAFE_INTEGER
  return Math.max(1, Math.floor((maxMessageLength - 200) / 67))
}
