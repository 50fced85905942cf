import type { Frame, Output, Personality } from './behaviour.ts'
import type { AskedFilter } from './filter.ts'
import { NegentropyResponder, type ResponderOptions } from './negentropy-responder.ts'

export interface NegentropyOptions extends ResponderOptions {
  /** Larger sets are refused. */
  readonly maxItems: number
  /** How they are refused. */
  readonly tooBig: (id: string) => Frame
  /** Characters of filter and message together; undefined: any number. */
  readonly maxPayload?: number
}

/** As strfry: sixteen parts, answers of 500,000 bytes, its limit told as a fourth element. */
export const negStrfry = (maxItems = 1_000_000, frameLimit = 500_000): Personality =>
  negentropy({
    buckets: 16,
    listUpTo: 31,
    frameLimit,
    maxItems,
    tooBig: (id) => ['NEG-ERR', id, 'blocked: too many query results', maxItems],
  })

/** As Parrhesia: two parts, 4,096 characters, no prefix after infinity, no number with its refusals. */
export const negStrict = (maxItems = 50_000): Personality =>
  negentropy({
    buckets: 2,
    listUpTo: 32,
    strictInfinity: true,
    maxItems,
    maxPayload: 4_096,
    tooBig: (id) => ['NEG-ERR', id, 'blocked: negentropy query is too big'],
  })

/** Splits in two and takes any number. */
export const neg2Way = (): Personality =>
  negentropy({
    buckets: 2,
    listUpTo: 20,
    maxItems: Number.POSITIVE_INFINITY,
    tooBig: () => ['NOTICE', 'never'],
  })

/** Answers a fingerprint that differs with all its ids, however many. */
export const negLists = (): Personality =>
  negentropy({
    buckets: 2,
    listUpTo: Number.POSITIVE_INFINITY,
    maxItems: Number.POSITIVE_INFINITY,
    tooBig: () => ['NOTICE', 'never'],
  })

/** Says nothing to NEG-OPEN, for ever. */
export const negMute = (): Personality => negRefusing(() => [])
/** Refuses as strfry does when it is switched off: by a NOTICE that names no session. */
export const negDisabled = (notice = 'ERROR: bad msg: negentropy disabled'): Personality =>
  negRefusing(() => [['NOTICE', notice]])
export const negClosed = (): Personality => negRefusing((id) => [['CLOSED', id, 'error: what is that']])
/** Hangs up when it is asked for the first time. */
export const negCut = (): Personality => negRefusing(() => ['cut'])

export function negRefusing(answer: (id: string) => readonly Output[]): Personality {
  return {
    connect: () => ({
      answer: ([verb, id]) =>
        verb === 'NEG-OPEN' ? answer(id as string) : verb.startsWith('NEG-') ? [] : undefined,
    }),
  }
}

export function negentropy(options: NegentropyOptions): Personality {
  const { maxItems, maxPayload = Number.POSITIVE_INFINITY, tooBig } = options
  return {
    info: { supported_nips: [1, 77], negentropy: 1 },
    connect: ({ set }) => {
      const sessions = new Map<string, NegentropyResponder>()
      const step = (id: string, hex: string): readonly Frame[] => {
        const session = sessions.get(id)
        if (session === undefined) return [['NEG-ERR', id, 'closed: unknown subscription handle']]
        try {
          return [['NEG-MSG', id, session.answer(hex)]]
        } catch (error) {
          sessions.delete(id)
          return [['NEG-ERR', id, `invalid: ${(error as Error).message}`]]
        }
      }
      return {
        answer: (frame) => {
          const [verb, id] = frame as readonly [string, string]
          if (verb === 'NEG-OPEN') {
            const [, , filter, hex] = frame as readonly [string, string, AskedFilter, string]
            if (JSON.stringify(filter).length + hex.length > maxPayload)
              return [['NEG-ERR', id, 'blocked: negentropy payload exceeds configured limit']]
            const events = set.matching(filter)
            if (events.length > maxItems) return [tooBig(id)]
            sessions.set(id, new NegentropyResponder(events, options))
            return step(id, hex)
          }
          if (verb === 'NEG-MSG') {
            const hex = frame[2] as string
            if (hex.length <= maxPayload) return step(id, hex)
            return [['NEG-ERR', id, 'blocked: negentropy payload exceeds configured limit']]
          }
          if (verb !== 'NEG-CLOSE') return undefined
          sessions.delete(id)
          return []
        },
      }
    },
  }
}
