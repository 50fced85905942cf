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

/**
 * Bytes an id in the final list is weighed with: twice its size, because where differences are dense the fingerprints
 * above serve several of them, and a list only one.
 */
const idWeight = 64

/** Fewer items than this are cheaper listed by the initiator than divided. */
const initiatorList = 4

/** Below it a responder answers with its ids, which ends the exchange; a reference initiator lists too. */
const listBelow = 32

/** Times fewer items after two divisions by the reference's 16, that is one round later. */
const perRound = 256

/**
 * Few bytes per difference, in as many rounds as the reference implementation takes, also against a reference peer.
 *
 * A range of n items that can still be divided L times before the responder lists ids costs L·b·21 + 64·n/b^L bytes at
 * a fan-out of b; the minimum is near b = (64·n/21)^(1/(L+1)). The initiator never lists many ids: its list only asks
 * for the responder's, and a fingerprint asks the same for half the price.
 */
export const adaptiveTuning: Tuning = {
  buckets(count, role) {
    const levels = divisions(count, role)
    if (levels === 0) return 0
    const fanOut = ((count * idWeight) / rangeBytes) ** (1 / (levels + 1))
    const enough = role === 'responder' && count / fanOut < listBelow ? referenceFanOut(count) : 2
    return Math.min(count, Math.round(Math.max(fanOut, enough)))
  },
}

/** How often a range may be divided, by turns, before the responder must list it to end in the reference's round. */
function divisions(count: number, role: Role): number {
  if (role === 'initiator') return count < initiatorList ? 0 : 1 + 2 * laterRounds(count / 16)
  return count < listBelow ? 0 : 2 * laterRounds(count)
}

/** Rounds the reference takes beyond the current one. */
function laterRounds(count: number): number {
  let rounds = 0
  for (let items = count; items >= listBelow; items /= perRound) rounds++
  return rounds
}

/**
 * The least fan-out at which an initiator that lists its parts (both sides then send 32 bytes per item) costs no more
 * than at 16: the other root of 21·b + 64·n/b = 21·16 + 64·n/16.
 */
function referenceFanOut(count: number): number {
  return Math.min(16, (64 * count) / (rangeBytes * 16))
}
