import { randomUUID } from 'node:crypto'
import type { Direction, Link } from '../../kernel/link.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { normalizeServer } from '../../planes/events/definition/normalize-server.ts'
import type { Filter } from '../../planes/events/filter.ts'
import { checkOptions } from './definition-check.ts'
import type { ServerDirectory } from './server-directory.ts'

/** A hundred years: relay.rb's five are a default for relays that were made its way. */
export const allHistoryHours = 876_000

export interface OnDemand {
  readonly url: string
  readonly direction: Direction
  readonly filter: Filter
}

/**
 * The link that a sync on demand brings up to date.
 *
 * @throws SyncError `config/invalid` for a URL that is none, or this node's own
 */
export function onDemandLink<Tx>(
  directory: ServerDirectory<Tx>,
  selfUrls: readonly string[],
  { url, direction, filter }: OnDemand,
): Promise<Link> {
  const wish = { url, direction, filters: [filter], mode: 'auto', 'enabled?': false }
  const config = { backfill_since_hours: allHistoryHours }
  const options = { ...checkOptions(selfUrls), profile: 'open' } as const
  const result = normalizeServer({ id: randomUUID(), config, ...wish }, options)
  if (result.ok) return directory.onDemand(result.value, direction, filter)
  const violations = result.details.map(({ path, code, message }) => `${path} ${message} (${code})`.trim())
  throw new SyncError('config/invalid', violations.join('; '))
}
