import { Doc } from '../crdt/doc.ts'

/** How heights are given: one more than the greatest parent's, or the wall clock where that is more. */
export type HeightStrategy = 'incremental' | 'timestamp'

/** As settings and the index hold it: a text with JSON in it. */
export function encodeStrategy(strategy: HeightStrategy): string {
  return JSON.stringify(strategy)
}

/** Undefined when there is none, or none that is known. */
export function readStrategy(doc: Doc, path: string): HeightStrategy | undefined {
  const text = doc.get(path)
  if (text === '"incremental"') return 'incremental'
  return text === '"timestamp"' ? 'timestamp' : undefined
}

/** The strategy a store has of its own, by its record in the index. */
export function storeStrategy(index: Doc, store: string): HeightStrategy | undefined {
  const record = index.children.get(store)
  return record instanceof Doc ? readStrategy(record, 'settings.height_strategy') : undefined
}

/** @param parents the greatest height among the parents; undefined: there are none */
export function nextHeight(strategy: HeightStrategy, parents: number | undefined, now: number): number {
  const least = parents === undefined ? 0 : parents + 1
  return strategy === 'timestamp' ? Math.max(now, least) : least
}
