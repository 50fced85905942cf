import type * as Yjs from 'yjs'
import { Doc, type Owner } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import type { StateType } from '../state/store-type.ts'
import type { StoreAccess, StoreKind } from './store-kind.ts'

interface YState {
  readonly doc: Yjs.Doc
  readonly owner: Owner | undefined
}

/** A Yjs document: text that several people edit at once. Each entry carries what its transaction changed of it. */
export class YDoc {
  readonly #yjs: typeof Yjs
  readonly #access: StoreAccess
  readonly #doc: Yjs.Doc
  #changed = false

  constructor(yjs: typeof Yjs, access: StoreAccess, history: Yjs.Doc) {
    this.#yjs = yjs
    this.#access = access
    this.#doc = copyOf(yjs, history)
    const before = yjs.encodeStateVector(history)
    this.#doc.on('update', () => {
      this.#changed = true
    })
    access.provide(() => (this.#changed ? yjs.encodeStateAsUpdate(this.#doc, before) : undefined))
  }

  /** Reads, or changes, the document as it is for this transaction. Throws `document/read-only` for a change in a view. */
  use<T>(work: (doc: Yjs.Doc) => T): T {
    this.#access.assertOpen(false)
    const before = this.#changed
    this.#changed = false
    const result = this.#doc.transact(() => work(this.#doc))
    if (this.#changed) this.#access.assertOpen(true)
    this.#changed ||= before
    return result
  }

  /** Takes over a Yjs v1 update made elsewhere. Throws `document/bad-value`. */
  applyUpdate(update: Uint8Array): void {
    this.#access.assertOpen(true)
    applyTo(this.#yjs, this.#doc, update)
  }

  /** The whole document as a Yjs v1 update; with a state vector, what that lacks. */
  update(since?: Uint8Array): Uint8Array {
    this.#access.assertOpen(false)
    return this.#yjs.encodeStateAsUpdate(this.#doc, since)
  }
}

/** Needs the package `yjs`, which is loaded when the first such store is opened. */
export const yDoc: StoreKind<YDoc> = {
  type: 'ydoc:v1',
  defaultConfig: () => new Doc(),
  async open(access) {
    const yjs = await load()
    const { doc } = await access.history(yState(yjs))
    return new YDoc(yjs, access, doc)
  },
}

async function load(): Promise<typeof Yjs> {
  try {
    return await import('yjs')
  } catch (cause) {
    throw new DocumentError('document/store-type', 'a Yjs store needs the package yjs; install it', { cause })
  }
}

function yState(yjs: typeof Yjs): StateType<YState> {
  return {
    name: 'yjs',
    empty: () => ({ doc: new yjs.Doc(), owner: undefined }),
    apply(state, payload, owner) {
      const own = state.owner === owner ? state : { doc: copyOf(yjs, state.doc), owner }
      applyTo(yjs, own.doc, payload)
      return own
    },
    encode: ({ doc }) => yjs.encodeStateAsUpdate(doc),
    decode(bytes) {
      const doc = new yjs.Doc()
      applyTo(yjs, doc, bytes)
      return { doc, owner: undefined }
    },
  }
}

/** Read as a whole before any of it is applied: half an update would be another state on every replica. */
function applyTo(yjs: typeof Yjs, doc: Yjs.Doc, update: Uint8Array): void {
  try {
    yjs.decodeUpdate(update)
    yjs.applyUpdate(doc, update)
  } catch (cause) {
    throw new DocumentError('document/bad-value', 'an update of a Yjs document is not readable', { cause })
  }
}

function copyOf(yjs: typeof Yjs, doc: Yjs.Doc): Yjs.Doc {
  const copy = new yjs.Doc()
  yjs.applyUpdate(copy, yjs.encodeStateAsUpdate(doc))
  return copy
}
