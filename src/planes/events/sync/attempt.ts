import type { Outcome, Progress, Proof } from '../../../kernel/progress.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { AttemptState, type EventsSession, type PeerPolicies } from './attempt-state.ts'
import { CatchUp } from './catch-up.ts'
import type { CatchUpTurns } from './catch-up-turns.ts'
import { Counters } from './counters.ts'
import { dryRun } from './dry-run.ts'
import type { PlaneParts } from './events-plane.ts'
import { Live } from './live.ts'
import { type PeerSettings, peerSettings } from './peer-settings.ts'
import { type Plan, planOf, wholePlan } from './plan.ts'
import { prove } from './proof.ts'
import { RelayClient } from './relay-client.ts'
import { UploadTail } from './upload-tail.ts'

/** Waiting for a turn, or for anything else of ours, is no silence of the peer. */
const aliveEveryMs = 30_000
/** Timers of more than 24 days end at once. */
const longestSleepMs = 86_400_000

/** One attempt of one link: connect, catch up, prove it, and for a live link stay. */
export class Attempt<Tx> {
  readonly #parts: PlaneParts<Tx>
  readonly #session: EventsSession<Tx>
  readonly #settings: PeerSettings
  readonly #counters = new Counters()
  #state: AttemptState<Tx> | undefined
  /** Of the links that share a connection, the one that opened it counts its end. */
  #opener = false

  constructor(parts: PlaneParts<Tx>, session: EventsSession<Tx>) {
    this.#parts = parts
    this.#session = session
    this.#settings = peerSettings(session.peer, parts.relayConfig)
  }

  async *run(): AsyncGenerator<Progress, Outcome> {
    const words = this.#session.triggers.take()
    yield this.#progress()
    try {
      return yield* this.#connected(words)
    } catch (error) {
      if (error instanceof SyncError && !error.linkOnly && this.#opener) this.#counters.reconnects++
      // What was counted up to here belongs to the attempt, however it ended.
      const last = this.#progress()
      yield {
        ...last,
        phase: 'connecting',
        marks: { ...last.marks, disconnected: this.#session.clock.now() },
      }
      throw error
    }
  }

  #progress(): Progress {
    const progress = this.#state?.progress()
    return progress ?? { phase: 'connecting', done: 0, counters: this.#counters.snapshot() }
  }

  async *#connected(words: readonly string[]): AsyncGenerator<Progress, Outcome> {
    const { pool, store, ingest, memory, signer } = this.#parts
    const { peer, clock, log, signal } = this.#session
    const request = {
      peer,
      settings: this.#settings,
      clock,
      log,
      signal,
      dial: (...dial: Parameters<EventsSession<Tx>['dial']>) => this.#session.dial(...dial),
    }
    this.#opener = !pool.knows(request)
    await using hold = await pool.hold(request)
    await using policies = (await this.#parts.openPolicies?.(peer)) ?? noPolicies
    const { connection } = hold
    using _alive = connection.onMessage(() => this.#session.alive())
    if (hold.opened) this.#counters.connects++
    await using client = new RelayClient(connection, clock, signal)
    const state = new AttemptState({
      session: this.#session,
      settings: this.#settings,
      client,
      store,
      ingest,
      info: connection.info,
      memory,
      policies,
      counters: this.#counters,
      ownPubkey: signer.pubkey,
    })
    this.#state = state
    state.mark('connected')
    if (connection.info.unknown !== undefined) state.notes.relayInfo = connection.info.unknown
    state.phase = 'queued'
    yield state.progress()
    const plan = this.#firstPlan(state, planOf(words))
    if (plan.dry) return yield* this.#dry(state)
    return yield* this.#sync(state, plan, hold.turns)
  }

  /** A live link that was away looks at everything again; another one does what it was asked. */
  #firstPlan(state: AttemptState<Tx>, asked: Plan | undefined): Plan {
    const { link } = this.#session
    if (asked?.dry) return asked
    if (link.live) return { ...wholePlan, full: asked?.full === true || this.#fullDue(state) }
    if (asked !== undefined) return { ...asked, restart: false }
    // A sync on demand that nothing repeats compares everything, where that costs a few messages.
    const cheap = state.settings.strategies[0] === 'negentropy' && state.learned.negentropy?.works !== false
    return { ...wholePlan, full: (link.schedule === undefined && cheap) || this.#fullDue(state) }
  }

  async *#sync(state: AttemptState<Tx>, first: Plan, turns: CatchUpTurns): AsyncGenerator<Progress, Outcome> {
    const { link, log } = this.#session
    const tail = new UploadTail(state)
    // One that is only polled listens as well while it looks at history: that may take days (E-104).
    const listens = link.live || (link.schedule !== undefined && state.pulls && first.history)
    await using live = listens ? await Live.open(state, tail) : undefined
    let sending = false
    for (let plan = first; ; ) {
      let proof: Proof | undefined
      yield* this.#during(state, async () => {
        using _turn = await this.#inTurn(turns, state)
        const catchUp = new CatchUp(state, tail)
        await catchUp.begin(plan)
        if (!sending && link.live) live?.send()
        sending = true
        await catchUp.run(plan)
        state.phase = 'verifying'
        state.pulse.notify()
        proof = plan.history ? await prove(state, catchUp.strategy === 'negentropy') : undefined
      })
      if (!link.live || live === undefined) {
        yield state.progress()
        return { kind: 'caught-up', proof }
      }
      state.phase = 'live'
      yield { ...state.progress(), ...(proof && { proof }) }
      let next: Plan = wholePlan
      yield* this.#during(state, async () => {
        next = await this.#asked(state, live)
      })
      log.debug('asked while live', { ...next })
      if (next.restart) await live.restart()
      plan = next
    }
  }

  async *#dry(state: AttemptState<Tx>): AsyncGenerator<Progress, Outcome> {
    const { onDifference } = this.#parts
    const { link } = this.#session
    yield* this.#during(state, () => dryRun(state, (difference) => onDifference?.(link.id, difference)))
    yield state.progress()
    return { kind: 'caught-up' }
  }

  async #inTurn(turns: CatchUpTurns, state: AttemptState<Tx>): Promise<Disposable> {
    const { clock, signal } = this.#session
    const done = new AbortController()
    const waiting = async () => {
      for (;;) {
        await clock.sleep(aliveEveryMs, done.signal)
        this.#session.alive()
      }
    }
    waiting().catch(() => {})
    try {
      return await turns.take(signal)
    } finally {
      done.abort()
      state.pulse.notify()
    }
  }

  #fullDue(state: AttemptState<Tx>): boolean {
    return this.#untilFull(state) <= 0
  }

  /** Milliseconds until everything is compared again. */
  #untilFull({ checkpoint, settings }: AttemptState<Tx>): number {
    const { fullAt } = checkpoint
    const { clock } = this.#session
    return fullAt === undefined ? 0 : fullAt * 1_000 + settings.fullReconcileMs - clock.now()
  }

  /** Waits while live until something is asked or due. @throws why the live link ended */
  async #asked(state: AttemptState<Tx>, live: Live<Tx>): Promise<Plan> {
    const { triggers, clock } = this.#session
    for (;;) {
      const stop = new AbortController()
      const signal = AbortSignal.any([live.over, stop.signal])
      const waitMs = Math.min(longestSleepMs, Math.max(0, this.#untilFull(state)))
      const ended = () => stop.abort()
      // The first to end ends the other: neither outlives this round.
      await Promise.all([
        clock.sleep(waitMs, signal).then(ended, ended),
        triggers.wait(signal).then(ended, ended),
      ])
      live.over.throwIfAborted()
      const asked = triggers.take()
      const full = this.#fullDue(state)
      if (full) return { ...wholePlan, ...planOf(asked), full, history: true }
      if (asked.length > 0) return planOf(asked) ?? wholePlan
    }
  }

  /** Reports progress whenever something moved, until `work` ends. */
  async *#during(state: AttemptState<Tx>, work: () => Promise<void>): AsyncGenerator<Progress, void> {
    let ended = false
    let failure: { readonly error: unknown } | undefined
    const running = work()
      .catch((error: unknown) => {
        failure = { error }
      })
      .finally(() => {
        ended = true
        state.pulse.notify()
      })
    while (!ended) {
      await state.pulse.wait()
      yield state.progress()
    }
    await running
    if (failure !== undefined) throw failure.error
  }
}

const noPolicies: PeerPolicies & AsyncDisposable = { async [Symbol.asyncDispose]() {} }
