import type { Doc } from '../crdt/doc.ts'
import type { StateType } from '../state/store-type.ts'

/** What a store handle works on: one store, as of the tips of a transaction or of a view. */
export interface StoreAccess {
  readonly name: string
  /** What the index says of the store. */
  readonly config: Doc
  /**
   * The state of the store's history. It stays as it is until the transaction is over.
   *
   * @throws DocumentError
   */
  history<State>(type: StateType<State>): Promise<State>
  /**
   * Says where the payload of this store comes from when the transaction commits; undefined: it changed nothing.
   * Called once per transaction, before the handle is used.
   */
  provide(payload: () => Uint8Array | undefined): void
  /** Throws `document/transaction-over` after commit, and `document/read-only` in a view when `writing`. */
  assertOpen(writing: boolean): void
  /** Replaces the store's configuration in the index. */
  configure(config: Doc): Promise<void>
}

/** A kind of store: how it is named in the index, and how a handle of it is made. */
export interface StoreKind<Handle> {
  /** Recorded with the store; opening it as another type is refused. */
  readonly type: string
  /** Recorded when the store is opened for the first time. */
  defaultConfig(): Doc
  open(access: StoreAccess): Promise<Handle>
}
