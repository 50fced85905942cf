import type { NostrEvent } from '../../src/planes/events/event.ts'
import { type Author, newAuthor } from '../peers/author.ts'

/** Seconds since 1970 of the first note of all. */
export const start = 1_700_000_000

const somebody = newAuthor(() => start)

/** Notes, `gap` seconds apart, oldest first. */
export function notes(count: number, gap = 60, author: Author = somebody, from = start): NostrEvent[] {
  return Array.from({ length: count }, (_, i) =>
    author.write({ created_at: from + i * gap, content: `note ${i} of ${count}` }),
  )
}

export const idsOf = (events: Iterable<NostrEvent>): string[] => Array.from(events, ({ id }) => id).sort()
