import type { NostrEvent } from '../../../src/planes/events/event.ts'
import type { Frame, Personality } from './behaviour.ts'
import { lying } from './pages.ts'

/** Waits on its clock before every frame it sends. */
export const slow = (ms: number): Personality => ({
  connect: () => ({ bend: (outputs) => outputs.flatMap((output) => [{ waitMs: ms }, output]) }),
})

/** Cuts each connection at its k-th frame, whichever way that goes. */
export const flaky = (k: number): Personality => ({
  connect: (connection) => ({ cuts: () => connection.frames === k }),
})

/** Cuts once: at the n-th frame of all. */
export const cutAt = (n: number): Personality => ({
  connect: (connection) => ({ cuts: () => connection.framesOfPeer === n }),
})

/** Its clock is off by so many seconds: what is fresh to us may lie in its future. */
export const clockSkewed = (seconds: number): Personality => ({
  connect: (connection) => ({
    answer: ([verb, event]) => {
      if (verb !== 'EVENT') return undefined
      const { id, created_at } = event as NostrEvent
      if (created_at <= connection.now() + seconds + 900) return undefined
      return [['OK', id, false, 'invalid: event creation date is too far off from the current time']]
    },
  }),
})

/** Slips events among its answers that nobody asked for. */
export const foreign = (...events: readonly NostrEvent[]): Personality =>
  lying((answers) => {
    const id = answers[0]?.[1]
    return [...events.map((event): Frame => ['EVENT', id, event]), ...answers]
  })

/** Sends its events with a signature that does not fit, all or those chosen. */
export const forging = (chosen: (event: NostrEvent) => boolean = () => true): Personality =>
  lying((answers) =>
    answers.map(([verb, id, event]): Frame => {
      const { sig, ...rest } = event as NostrEvent
      return [verb, id, chosen(event as NostrEvent) ? { ...rest, sig: flipped(sig) } : event]
    }),
  )

/** Sends its pages in no order at all: NIP-01 asks for newest first. */
export const unsorted = (): Personality =>
  lying((answers) => answers.toSorted((a, b) => ((a[2] as NostrEvent).id < (b[2] as NostrEvent).id ? -1 : 1)))

function flipped(hex: string): string {
  return `${hex.startsWith('0') ? '1' : '0'}${hex.slice(1)}`
}
