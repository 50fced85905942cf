/** A NIP-01 filter. Lists are OR-ed, fields AND-ed; `since` and `until` are inclusive. An empty list matches nothing. */
export interface Filter {
  readonly ids?: readonly string[]
  readonly authors?: readonly string[]
  readonly kinds?: readonly number[]
  readonly since?: number
  readonly until?: number
  readonly limit?: number
  /** Tag filters by single letter: `#e`, `#p`, `#T` … */
  readonly [tag: `#${string}`]: readonly string[]
}
