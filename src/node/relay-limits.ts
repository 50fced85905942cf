import type { Learned } from '../planes/events/sync/checkpoint.ts'

/** What is needed for stored events while the live subscriptions stay open. */
const spare = 4
const [fewest, most] = [4, 200]
/** Of a relay that says nothing: 20 subscriptions are usual (specs proactive §6.13). */
const usual = 16
/** Less than a filter of one value of any layer needs is nothing a relay can mean. */
const leastBytes = 1_000

/** Subscriptions a relay may be asked to keep open at once, from what its information document said (NIP-11). */
export function liveBudget(learned: Learned | undefined): number {
  const told = learned?.maxSubscriptions
  return told === undefined ? usual : Math.min(most, Math.max(fewest, told - spare))
}

/** Bytes of the values of one filter, a tenth below what fits into a message; undefined: the relay does not say. */
export function filterBytes(learned: Learned | undefined): number | undefined {
  const told = learned?.maxMessageLength
  return told === undefined ? undefined : Math.max(leastBytes, Math.floor(told * 0.9) - 100)
}
