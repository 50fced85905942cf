import { Doc, mergeDocs, type Owner } from '../crdt/doc.ts'
import { decodeDoc, encodeDoc } from '../crdt/doc-json.ts'

/** How the payloads of one kind of store become its state. */
export interface StateType<State> {
  /** Names the algorithm: a state saved under another name is not used. */
  readonly name: string
  empty(): State
  /**
   * The state after one more delta. What `owner` owns of `state` may be changed in place, the rest may not.
   *
   * @throws DocumentError when the payload is not one of this type; it then counts for nothing
   */
  apply(state: State, payload: Uint8Array, owner: Owner): State
  encode(state: State): Uint8Array
  decode(bytes: Uint8Array): State
}

/** Everything that is kept in Docs: documents, tables, settings, the index. */
export const docState: StateType<Doc> = {
  name: 'doc',
  empty: () => new Doc(),
  apply: (state, payload, owner) => mergeDocs(state, decodeDoc(payload), owner),
  encode: encodeDoc,
  decode: decodeDoc,
}
