import type { Owner } from '../crdt/doc.ts'
import type { EntryId } from '../entry/entry-id.ts'

/** A state in memory. */
export interface CachedState {
  readonly value: unknown
  /** Whoever continues this state may change in place what this owner made. */
  readonly owner: Owner
  readonly tips: readonly EntryId[]
  readonly count: number
  /** Of the payloads folded into it: about what it takes. */
  readonly bytes: number
  readers: number
}

/** States by what they are of and under (the scope), then by their tips (the cut). The oldest go first. */
export class StateCache {
  readonly #maxBytes: number
  readonly #scopes = new Map<string, Map<string, CachedState>>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(scope: string, cut: string): CachedState | undefined {
    return this.#scopes.get(scope)?.get(cut)
  }

  keep(scope: string, cut: string, state: CachedState): void {
    this.remove(scope, cut)
    const states = this.#scopes.get(scope) ?? new Map<string, CachedState>()
    // Last used last, in both.
    this.#scopes.delete(scope)
    this.#scopes.set(scope, states.set(cut, state))
    this.#bytes += state.bytes
    while (this.#bytes > this.#maxBytes) {
      const [oldestScope, oldestStates] = this.#scopes.entries().next().value!
      const oldestCut = oldestStates.keys().next().value!
      if (oldestStates.get(oldestCut) === state) break
      this.remove(oldestScope, oldestCut)
    }
  }

  remove(scope: string, cut: string): void {
    const states = this.#scopes.get(scope)
    const state = states?.get(cut)
    if (states === undefined || state === undefined) return
    states.delete(cut)
    if (states.size === 0) this.#scopes.delete(scope)
    this.#bytes -= state.bytes
  }

  clear(): void {
    this.#scopes.clear()
    this.#bytes = 0
  }
}
