import type { AuthStates } from '../auth/auth-state.ts'
import type { Owner } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import { storeNode } from '../entry/entry.ts'
import { type DatabaseId, type EntryId, sortedIds } from '../entry/entry-id.ts'
import { type Dag, type DagNode, storeDag } from '../history/dag.ts'
import { Descent } from '../history/walk.ts'
import type { DocumentBatch, DocumentView } from '../storage/document-storage.ts'
import { type CachedState, StateCache } from './state-cache.ts'
import type { StateType } from './store-type.ts'
import { VoidFilter } from './void-filter.ts'

/** Where a store is read: its own tips, and the settings that say what counts. */
export interface StorePoint {
  readonly database: DatabaseId
  readonly store: string
  readonly tips: readonly EntryId[]
  readonly settingsTips: readonly EntryId[]
}

/** A state that does not change while it is held. Dispose it: while it is held, going on from it costs a copy. */
export interface StateLease<State> extends Disposable {
  readonly value: State
}

interface PendingSave {
  readonly database: DatabaseId
  readonly store: string
  readonly tips: readonly EntryId[]
  readonly count: number
  body(): Uint8Array
}

const maxBytes = 64 * 1024 * 1024
/** States of one store that may serve as a start; older ones help when entries of the past arrive. */
const savedStates = 3
/** A fold of fewer entries than this is not worth saving. */
const worthSaving = 512
/** Pending entries of a cut that may be looked up as a state. */
const maxCut = 32
/** Unreadable payloads that are remembered to be counted. */
const maxUnreadable = 10_000
/** Nodes between two offers to let others work. */
const stepNodes = 64

/**
 * Materialised stores. The state at some tips is the fold of all payloads reachable from them in canonical order; it is
 * found from the nearest known state below: in memory, or saved. States are named by their tips, so none is ever stale.
 */
export class StoreStates {
  readonly #auth: AuthStates
  readonly #cached = new StateCache(maxBytes)
  readonly #saves = new Map<string, PendingSave>()
  /** Payloads that could not be read, by entry: they count for nothing, the same everywhere. */
  readonly #unreadable = new Set<string>()

  constructor(auth: AuthStates) {
    this.#auth = auth
  }

  /** In one go: for what is small, and where the caller cannot wait. */
  now<State>(view: DocumentView, type: StateType<State>, point: StorePoint): StateLease<State> {
    const steps = this.#steps(view, type, point)
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
    }
  }

  /** The same in slices, between which `rest` may let others work. */
  async read<State>(
    view: DocumentView,
    type: StateType<State>,
    point: StorePoint,
    rest: () => Promise<void>,
  ): Promise<StateLease<State>> {
    const steps = this.#steps(view, type, point)
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      await rest()
    }
  }

  /** Whether something is worth saving. */
  get unsaved(): boolean {
    return this.#saves.size > 0
  }

  /** Saves what took long to compute, so that opening the database again does not. */
  save(batch: DocumentBatch): void {
    const saves = [...this.#saves.values()]
    this.#saves.clear()
    for (const { database, store, tips, count, body } of saves)
      batch.saveState(database, store, { tips, count }, body(), savedStates)
  }

  /** Entries whose payload could not be read as their store's type. */
  get unreadable(): number {
    return this.#unreadable.size
  }

  clear(): void {
    this.#cached.clear()
    this.#saves.clear()
  }

  *#steps<State>(
    view: DocumentView,
    type: StateType<State>,
    point: StorePoint,
  ): Generator<void, StateLease<State>> {
    const settings = this.#auth.at(view, point.database, point.settingsTips)
    const scope = `${point.database} ${point.store} ${type.name} ${settings.settled.key} `
    const whole = sortedIds(point.tips).join()
    const known = this.#cached.get(scope, whole)
    if (known !== undefined) return lease(known)
    const saved = new Map(
      view.states(point.database, point.store).map((state) => [sortedIds(state.tips).join(), state]),
    )
    const load = (cut: string): CachedState | undefined => {
      const cached = this.#cached.get(scope, cut)
      if (cached !== undefined) return this.#continue(scope, cut, cached)
      const state = saved.get(cut)
      const body = state && view.state(point.database, point.store, state.tips)
      const value = body && decodeState(type, settings.settled.key, body)
      if (state === undefined || value === undefined) return undefined
      return { value, owner: {}, tips: state.tips, count: state.count, bytes: body!.length, readers: 0 }
    }
    const { base, nodes } = yield* descend(storeDag(view, point.database, point.store), point.tips, load)
    const filter = new VoidFilter(this.#auth, view, point.database, settings)
    let value = (base?.value ?? type.empty()) as State
    const owner = base?.owner ?? {}
    let bytes = base?.bytes ?? 0
    for (let i = nodes.length - 1; i >= 0; i--) {
      if (i % stepNodes === 0) yield
      const { sealed } = nodes[i]!
      const data = storeNode(sealed.entry, point.store)?.data
      if (data === undefined || filter.isVoid(sealed)) continue
      bytes += data.length
      value = this.#apply(type, value, data, owner, `${sealed.id} ${point.store}`)
    }
    const count = (base?.count ?? 0) + nodes.length
    const state: CachedState = { value, owner, tips: point.tips, count, bytes, readers: 0 }
    this.#cached.keep(scope, whole, state)
    const savedBefore = Math.max(0, ...saved.values().map((state) => state.count))
    if (count - savedBefore >= Math.max(worthSaving, savedBefore / 8)) {
      const { key: settledKey } = settings.settled
      const body = () => encodeState(type, settledKey, state.value as State)
      const { database, store, tips } = point
      this.#saves.set(`${database} ${store}`, { database, store, tips, count, body })
    }
    return lease(state)
  }

  #apply<State>(type: StateType<State>, value: State, data: Uint8Array, owner: Owner, name: string): State {
    try {
      return type.apply(value, data, owner)
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error
      if (this.#unreadable.size < maxUnreadable) this.#unreadable.add(name)
      return value
    }
  }

  /** A state nobody reads is taken over and changed in place; one that is read, copied where it changes. */
  #continue(scope: string, cut: string, cached: CachedState): CachedState {
    if (cached.readers > 0 || this.#saves.values().some(({ tips }) => tips === cached.tips))
      return { ...cached, owner: {}, readers: 0 }
    this.#cached.remove(scope, cut)
    return cached
  }
}

function lease<State>(state: CachedState): StateLease<State> {
  state.readers += 1
  let held = true
  return {
    value: state.value as State,
    [Symbol.dispose]() {
      if (held) state.readers -= 1
      held = false
    },
  }
}

/** From the tips down to the first cut whose state is known, or to the roots. The nodes are last first. */
function* descend(
  dag: Dag,
  tips: readonly EntryId[],
  load: (cut: string) => CachedState | undefined,
): Generator<void, { readonly base: CachedState | undefined; readonly nodes: readonly DagNode[] }> {
  const descent = new Descent(dag, tips)
  const nodes: DagNode[] = []
  for (;;) {
    const { pending } = descent
    if (pending.length > 0 && pending.length <= maxCut) {
      const [only] = pending
      const cut = pending.length === 1 ? only!.id : sortedIds(pending.map(({ id }) => id)).join()
      const base = load(cut)
      if (base !== undefined) return { base, nodes }
    }
    const node = descent.next()
    if (node === undefined) return { base: undefined, nodes }
    nodes.push(node)
    if (nodes.length % stepNodes === 0) yield
  }
}

/** The saved form says what it was computed under; under anything else it is not used. */
function encodeState<State>(type: StateType<State>, settledKey: string, state: State): Uint8Array {
  const header = Buffer.from(JSON.stringify([type.name, settledKey]))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(header.length)
  return Buffer.concat([length, header, type.encode(state)])
}

function decodeState<State>(type: StateType<State>, settledKey: string, body: Uint8Array): State | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const end = 4 + bytes.readUInt32BE(0)
  if (bytes.subarray(4, end).toString() !== JSON.stringify([type.name, settledKey])) return undefined
  return type.decode(bytes.subarray(end))
}
