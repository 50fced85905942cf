import { compareIds, type DatabaseId, type EntryId } from '../entry/entry-id.ts'
import { treeDag } from '../history/dag.ts'
import { difference } from '../history/walk.ts'
import {
  type CanonicalKey,
  compareKeys,
  type DocumentView,
  type ListedBytes,
} from '../storage/document-storage.ts'
import { RecentMap } from '../storage/recent-map.ts'

/** One message's worth of entries. */
export interface EntryPage {
  /** Parents before children. */
  readonly entries: readonly Uint8Array[]
  /** Where the next page begins; undefined: this was the last. */
  readonly next: CanonicalKey | undefined
}

export interface PageLimits {
  /** An entry that is larger still makes a page of its own. */
  readonly bytes: number
  readonly entries: number
}

const defaultPageLimits: PageLimits = { bytes: 2 * 1024 * 1024, entries: 4_000 }

const maxDifferences = 16

/** Entries that one side has beyond some tips, a page at a time, in canonical order. */
export class EntryPages {
  readonly #limits: PageLimits
  /** Differences of more than one page: the walk is not made again for each. */
  readonly #differences = new RecentMap<string, readonly CanonicalKey[]>(maxDifferences)

  constructor(limits: PageLimits = defaultPageLimits) {
    this.#limits = limits
  }

  /**
   * What is reachable from `tips` and not from `without`.
   *
   * @throws DocumentError `document/unknown-entry` for a tip that is not verified here
   */
  page(
    view: DocumentView,
    tree: DatabaseId,
    tips: readonly EntryId[],
    without: readonly EntryId[],
    after?: CanonicalKey,
  ): EntryPage {
    // Everything: the order is stored, and nothing has to be walked.
    if (without.length === 0 && tips.join() === view.tips(tree).join())
      return this.#cut(stored(view, tree, after))
    const keys = this.#difference(view, tree, tips, without)
    const from = after === undefined ? 0 : keys.findIndex((key) => compareKeys(key, after, compareIds) > 0)
    if (from < 0) return { entries: [], next: undefined }
    return this.#cut(listed(view, keys, from))
  }

  #difference(
    view: DocumentView,
    tree: DatabaseId,
    tips: readonly EntryId[],
    without: readonly EntryId[],
  ): readonly CanonicalKey[] {
    const name = `${tree}|${tips.join()}|${without.join()}`
    const known = this.#differences.get(name)
    if (known !== undefined) return known
    const nodes = difference(treeDag(view, tree), tips, without)
    const keys = nodes.map(({ height, id }): CanonicalKey => ({ height, id }))
    if (keys.length > this.#limits.entries / 8) this.#differences.set(name, keys)
    return keys
  }

  #cut(candidates: Iterable<ListedBytes>): EntryPage {
    const entries: Uint8Array[] = []
    let size = 0
    let last: CanonicalKey | undefined
    for (const { key, bytes: entry } of candidates) {
      size += entry.length
      const full = entries.length >= this.#limits.entries || size > this.#limits.bytes
      if (full && entries.length > 0) return { entries, next: last }
      entries.push(entry)
      last = key
    }
    return { entries, next: undefined }
  }
}

function* stored(
  view: DocumentView,
  tree: DatabaseId,
  after: CanonicalKey | undefined,
): Generator<ListedBytes> {
  for (let last = after; ; ) {
    // Few at a time: entries may be large, and a page ends where its bytes do.
    const some = view.listBytes(tree, { after: last, limit: 256 })
    yield* some
    last = some.at(-1)?.key
    if (last === undefined) return
  }
}

function* listed(view: DocumentView, keys: readonly CanonicalKey[], from: number): Generator<ListedBytes> {
  for (let i = from; i < keys.length; i++) yield { key: keys[i]!, bytes: view.entry(keys[i]!.id)!.bytes }
}
