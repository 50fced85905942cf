import type { Direction } from '../../../kernel/link.ts'
import type { Filter } from '../filter.ts'
import { canonicalFilter } from '../filter-hash.ts'
import type { ServerDefinition } from './server-definition.ts'

export interface DefinedLink {
  readonly direction: Direction
  readonly filter: Filter
  readonly live: boolean
  readonly schedule: string | undefined
}

/**
 * The links a definition asks for (spec events §1.4): one per filter and way. What goes both ways stays one link, as one
 * comparison of the two sets serves both. `event_kinds` becomes the condition of a filter that names no kinds.
 */
export function toLinks(definition: ServerDefinition): readonly DefinedLink[] {
  const { direction, filters, upload_filters: up, mode, schedule } = definition
  const pace = { live: mode !== 'poll' && schedule === null, schedule: schedule ?? undefined }
  const down = distinct(direction === 'up' ? [] : filters, definition)
  const upward = distinct(direction === 'down' ? [] : (up ?? filters), definition)
  const links: DefinedLink[] = []
  for (const [text, filter] of down)
    links.push({ direction: upward.has(text) ? 'both' : 'down', filter, ...pace })
  for (const [text, filter] of upward) if (!down.has(text)) links.push({ direction: 'up', filter, ...pace })
  return links
}

function distinct(filters: readonly Filter[], { config }: ServerDefinition): ReadonlyMap<string, Filter> {
  const kinds = config.event_kinds as readonly number[] | undefined
  const given = filters.map((filter): Filter => (kinds === undefined ? filter : { kinds, ...filter }))
  return new Map(given.map((filter) => [canonicalFilter(filter), filter]))
}
