export type Role = 'initiator' | 'responder'

/** How a session divides a range in which it differs from its peer. Peers accept any division. */
export interface Tuning {
  /**
   * @param count own items in the range
   * @returns into how many fingerprints to divide them, 2 … count; 0: list their ids instead
   */
  buckets(count: number, role: Role): number
}

/** What the reference implementation does: lists below 32 items, else 16 fingerprints. */
export const referenceTuning: Tuning = { buckets: (count) => (count < 32 ? 0 : 16) }

/** Bytes of one fingerprint range with its bound, on average. */
const rangeBytes = 21
const idBytes = 32

/** Fewer items than this are cheaper listed by the initiator than divided. */
const initiatorList = 4

/** A responder below it answers with its ids, which ends the exchange for that range. */
const responderList = 32

/**
 * Fewest bytes for one difference in the range, in as many rounds as the reference implementation takes.
 *
 * A range of n items that can still be divided L times before the responder lists ids costs L·b·21 + 32·n/b^L bytes at
 * a fan-out of b; its minimum is at b = (32·n/21)^(1/(L+1)). The initiator never lists many ids: its list only asks for
 * the responder's, and a fingerprint asks the same for half the price.
 */
export const adaptiveTuning: Tuning = {
  buckets(count, role) {
    const levels = divisions(count, role)
    if (levels === 0) return 0
    const fanOut = ((count * idBytes) / rangeBytes) ** (1 / (levels + 1))
    return Math.min(count, Math.max(2, Math.round(fanOut)))
  },
}

/** How often a range may be divided, by turns, before the responder must list it to end in the reference's round. */
function divisions(count: number, role: Role): number {
  if (role === 'initiator') return count < initiatorList ? 0 : 1 + 2 * laterRounds(count, 16)
  return count < responderList ? 0 : 2 * laterRounds(count, 1)
}

/** Rounds the reference takes beyond the current one: lists below 32, and 256 times fewer items a round later. */
function laterRounds(count: number, divided: number): number {
  let rounds = 0
  for (let items = count / divided; items >= responderList; items /= 256) rounds++
  return rounds
}
