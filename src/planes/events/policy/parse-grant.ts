import * as z from 'zod'
import { SyncError } from '../../../kernel/sync-error.ts'
import { EventError } from '../event-error.ts'
import type { Filter } from '../filter.ts'
import { canonicalFilter } from '../filter-hash.ts'
import { parseSyncFilter } from '../filter-parser.ts'
import type { Limits } from '../limits.ts'
import type { Grant } from './acl.ts'

const grantSchema = z.strictObject({
  principal_type: z.literal('pubkey').default('pubkey'),
  principal: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'),
  capability: z.enum(['sync_read', 'sync_write']),
  match: z.unknown().default({}),
})

/**
 * A grant as an operator writes it, `match` left out being `{}`, which is everything.
 *
 * @throws SyncError `config/invalid` naming the field
 */
export function parseGrant(input: unknown, limits: Limits): Grant {
  const parsed = grantSchema.safeParse(input)
  if (parsed.success) return { ...parsed.data, match: parseMatch('match', parsed.data.match, limits) }
  const [issue] = parsed.error.issues
  const field = issue?.path.join('.') ?? ''
  throw new SyncError('config/invalid', `a grant: ${field === '' ? '' : `${field}: `}${issue?.message}`)
}

/**
 * The filter of a grant, a rule or what is protected, in its canonical form. Without `limit`, which would make it select another set each time.
 *
 * @throws SyncError `config/invalid` that names `key`
 */
export function parseMatch(key: string, input: unknown, limits: Limits): Filter {
  try {
    return JSON.parse(canonicalFilter(parseSyncFilter(input, limits)))
  } catch (error) {
    if (error instanceof EventError) throw new SyncError('config/invalid', `${key}: ${error.message}`)
    throw error
  }
}
