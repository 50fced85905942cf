import { newAuthor } from '../../peers/author.ts'
import type { Output, Personality } from './behaviour.ts'
import type { AskedFilter } from './filter.ts'
import { type Lie, onEvents } from './script.ts'

/** Never sends more than `count` events in answer to one REQ, whatever was asked, and says nothing about it. */
export const capped = (count: number): Personality => lying((events) => events.slice(0, count))

/** Answers with events as `how` makes them. */
export function lying(how: Lie): Personality {
  return {
    connect: (connection) => ({
      bend: (outputs) => onEvents(outputs, (events) => how(events, connection)),
    }),
  }
}

/**
 * Says with EOSE whether it has more (NIP-67), at most `cap` events a page.
 *
 * @param words what it says instead of `finish` and `more`
 */
export function hinting(cap: number, words: { finish: unknown; more: unknown } = honestWords): Personality {
  return {
    info: { supported_nips: [1, 67] },
    connect: ({ set }) => ({
      bend: (outputs, asked) => {
        if (asked?.[0] !== 'REQ') return outputs
        const [, id, filter] = asked as unknown as [string, string, AskedFilter]
        const found = set.matching(filter).length
        const sent = Math.min(cap, filter.limit ?? cap)
        const hint = found <= sent ? words.finish : words.more
        const end = ['EOSE', id, ...(hint === undefined ? [] : [hint])] as const
        const page = onEvents(outputs, (events) => events.slice(0, sent))
        return page.map((output): Output => (Array.isArray(output) && output[0] === 'EOSE' ? end : output))
      },
    }),
  }
}

const honestWords = { finish: ['finish'], more: ['more'] }

/** Holds more events of one kind, one author and one second than it ever sends at once. */
export function denseSecond(second: number, count: number, cap: number): Personality {
  const author = newAuthor(() => second)
  const events = Array.from({ length: count }, (_, i) => author.write({ content: `dense ${i}` }))
  return { ...capped(cap), events }
}
