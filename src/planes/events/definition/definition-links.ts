import type { Direction } from '../../../kernel/link.ts'
import type { Filter } from '../filter.ts'
import { canonicalFilter } from '../filter-hash.ts'
import type { ServerDefinition } from './server-definition.ts'

export interface DefinedLink {
  readonly direction: Direction
  readonly filter: Filter
}

/**
 * The links a definition asks for: one per filter, in its direction (spec events §1.4). `both` stays one link, as one
 * comparison of the two sets serves both ways. `event_kinds` becomes the condition of a filter that names no kinds.
 */
export function toLinks({ direction, filters, config }: ServerDefinition): readonly DefinedLink[] {
  const kinds = config.event_kinds as readonly number[] | undefined
  const links = new Map<string, DefinedLink>()
  for (const given of filters) {
    const filter: Filter = kinds === undefined ? given : { kinds, ...given }
    links.set(canonicalFilter(filter), { direction, filter })
  }
  return [...links.values()]
}
