import { everything } from '../event-store.ts'
import type { AttemptState } from './attempt-state.ts'
import { Upload } from './upload.ts'

const pageEvents = 500

/**
 * Offers what the local store accepted, in order of arrival, never of `created_at`: backdated events that arrive late are
 * offered like any other. A position moves with the last final answer of a page; what got no final answer is in the
 * outbox by then.
 */
export class UploadTail<Tx> {
  readonly #state: AttemptState<Tx>
  #running: Promise<void> = Promise.resolve()

  constructor(state: AttemptState<Tx>) {
    this.#state = state
  }

  /** Offers everything that arrived after the link's position. Calls wait for each other. */
  follow(): Promise<void> {
    return this.#inTurn(() => this.#follow())
  }

  /** Offers what was there before the link began, where no comparison has told what of it the peer lacks. */
  backlog(): Promise<void> {
    return this.#inTurn(() => this.#backlog())
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#running.then(work)
    this.#running = mine.catch(() => {})
    return mine
  }

  async #follow(): Promise<void> {
    for (;;) {
      const last = await this.#offerPage(this.#state.checkpoint.uploadSeq, undefined)
      if (last === undefined) return
      await this.#state.advance((checkpoint) => ({ ...checkpoint, uploadSeq: last }))
    }
  }

  async #backlog(): Promise<void> {
    for (;;) {
      const { backlog } = this.#state.checkpoint
      if (backlog === undefined) return
      const last = await this.#offerPage(backlog.after, backlog.upTo)
      await this.#state.advance(({ backlog: _, ...checkpoint }) =>
        last === undefined ? checkpoint : { ...checkpoint, backlog: { ...backlog, after: last } },
      )
    }
  }

  /** @returns the position of the last event that was offered; undefined when there is none */
  async #offerPage(after: number, until: number | undefined): Promise<number | undefined> {
    const { session, store, filter } = this.#state
    session.signal.throwIfAborted()
    const { events } = await store.page({
      filter,
      order: 'seq',
      after,
      ...(until === undefined ? {} : { until }),
      limit: pageEvents,
      visibility: everything,
    })
    const last = events.at(-1)
    if (last === undefined) return undefined
    this.#state.outstanding += events.length
    const upload = new Upload(this.#state)
    await upload.offer(events, events.length)
    await upload.finish()
    return last.seq
  }
}
