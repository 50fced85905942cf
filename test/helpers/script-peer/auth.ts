import { verifyEvent } from 'nostr-tools'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import type { Frame, Output, Personality } from './behaviour.ts'

type Timing = 'at-open' | 'with-refusal' | 'never'

/** Challenges as soon as the line is open, and refuses everything until the answer came. */
export const authFirst = (): Personality => demanding('at-open', true)
/** Refuses first and challenges after that. */
export const authLate = (): Personality => demanding('with-refusal', true)
/** Refuses for lack of a challenge it never sends. */
export const authNever = (): Personality => demanding('never', true)
/** Challenges, and refuses the answer whoever gives it. */
export const authRefusing = (): Personality => demanding('at-open', false)

/** Challenges at open and demands nothing. */
export const authOptional = (): Personality => ({
  connect: ({ number }) => ({ greet: () => [['AUTH', `challenge-${number}`]] }),
})

function demanding(timing: Timing, accepts: boolean): Personality {
  return {
    connect: ({ number, url }) => {
      const challenge = `challenge-${number}`
      let authenticated = false
      const challenged = timing === 'with-refusal' ? [['AUTH', challenge] as const] : []
      const authenticate = (event: NostrEvent): readonly Output[] => {
        const wrong = faultOf(event, challenge, url)
        if (wrong !== undefined) return [['OK', event.id, false, `invalid: ${wrong}`]]
        if (!accepts) return [['OK', event.id, false, 'restricted: not on the list']]
        authenticated = true
        return [['OK', event.id, true, '']]
      }
      return {
        greet: () => (timing === 'at-open' ? [['AUTH', challenge]] : []),
        answer: (frame) => {
          if (frame[0] === 'AUTH') return authenticate(frame[1] as NostrEvent)
          const refused = authenticated ? undefined : refusal(frame)
          return refused && [refused, ...challenged]
        },
      }
    },
  }
}

/** How a relay refuses a frame of somebody who has not proved who they are; undefined: it need not be refused. */
function refusal(frame: Frame): Frame | undefined {
  const [verb, subject] = frame
  const reason = 'auth-required: we only serve those we know'
  if (verb === 'REQ' || verb === 'COUNT') return ['CLOSED', subject, reason]
  if (verb === 'EVENT') return ['OK', (subject as NostrEvent).id, false, reason]
  if (verb === 'NEG-OPEN') return ['NEG-ERR', subject, reason]
  return undefined
}

/** What is wrong with the answer to a challenge (NIP-42). */
function faultOf(event: NostrEvent, challenge: string, url: string): string | undefined {
  const tag = (name: string) => event.tags.find(([key]) => key === name)?.[1]
  if (event.kind !== 22_242) return 'not of kind 22242'
  if (tag('challenge') !== challenge) return 'another challenge'
  if (new URL(tag('relay') ?? 'about:blank').href !== url) return 'another relay'
  return verifyEvent(structuredClone(event) as Parameters<typeof verifyEvent>[0])
    ? undefined
    : 'a bad signature'
}
