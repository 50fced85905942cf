import type { Filter } from './filter.ts'

/**
 * The index a filter is read through. Whatever else the filter asks for is checked on what the index yields.
 * `author` without kinds walks the kinds that author has.
 */
export type Access =
  | { readonly by: 'nothing' }
  | { readonly by: 'ids'; readonly ids: readonly string[] }
  | { readonly by: 'tag'; readonly letter: string; readonly values: readonly string[] }
  | {
      readonly by: 'author'
      readonly authors: readonly string[]
      readonly kinds: readonly number[] | undefined
    }
  | { readonly by: 'kind'; readonly kinds: readonly number[] }
  | { readonly by: 'time' }

export interface QueryPlan {
  readonly access: Access
  /** Inclusive. */
  readonly since: number
  /** Inclusive. */
  readonly until: number
  /** Kinds still to be checked on each index row; undefined: any, or the access guarantees them. */
  readonly kinds: ReadonlySet<number> | undefined
  /** True when authors, ids or tags are left that only the event itself can answer. */
  readonly needsEvent: boolean
}

/** The conditions on tags, `[letter, values]`. */
export function tagConditions(filter: Filter): [letter: string, values: readonly string[]][] {
  const conditions: [string, readonly string[]][] = []
  for (const [name, values] of Object.entries(filter)) {
    if (name.startsWith('#') && Array.isArray(values)) conditions.push([name.slice(1), values])
  }
  return conditions
}

/**
 * Every index that could answer the filter, the usually most selective first. Never empty. An empty list anywhere
 * in the filter, or `since` after `until`, matches nothing.
 */
export function accessPaths(filter: Filter): readonly [Access, ...Access[]] {
  const { ids, authors, kinds } = filter
  const tags = tagConditions(filter)
  const lists = [ids, authors, kinds, ...tags.map(([, values]) => values)]
  if (lists.some((list) => list?.length === 0)) return [{ by: 'nothing' }]
  if ((filter.since ?? 0) > (filter.until ?? Number.MAX_SAFE_INTEGER)) return [{ by: 'nothing' }]
  if (ids !== undefined) return [{ by: 'ids', ids: unique(ids) }]

  const paths: Access[] = tags.map(([letter, values]) => ({ by: 'tag', letter, values: unique(values) }))
  if (authors !== undefined)
    paths.push({ by: 'author', authors: unique(authors), kinds: kinds && unique(kinds) })
  else if (kinds !== undefined) paths.push({ by: 'kind', kinds: unique(kinds) })
  const [first, ...rest] = paths
  return first === undefined ? [{ by: 'time' }] : [first, ...rest]
}

export function planQuery(filter: Filter, access: Access): QueryPlan {
  const { since = 0, until = Number.MAX_SAFE_INTEGER, kinds } = filter
  const kindsAnswered = access.by === 'kind' || access.by === 'author'
  return {
    access,
    since: Math.max(0, since),
    until,
    kinds: kinds === undefined || kindsAnswered ? undefined : new Set(kinds),
    needsEvent: access.by !== 'nothing' && leavesConditions(filter, access),
  }
}

function leavesConditions(filter: Filter, access: Access): boolean {
  if (filter.ids !== undefined && access.by !== 'ids') return true
  if (filter.authors !== undefined && access.by !== 'author') return true
  return tagConditions(filter).some(([letter]) => access.by !== 'tag' || access.letter !== letter)
}

function unique<T>(values: readonly T[]): readonly T[] {
  return values.length < 2 ? values : [...new Set(values)]
}
