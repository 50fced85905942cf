import type { PeerId } from '../../../kernel/peer.ts'
import type { Learned } from './checkpoint.ts'

/** How long what was observed is believed: relays change, but not by the hour (spec events §5.17). */
const believedSeconds = 86_400
const maxPeers = 10_000

export type Lesson = Partial<Omit<Learned, 'at'>>

/** What the relays of this process can do, as observed, for all links of each. Links carry it over restarts. */
export class PeerMemory {
  readonly #peers = new Map<PeerId, Learned>()

  /** @param saved what the asking link remembers; the younger of the two counts */
  recall(peer: PeerId, saved: Learned | undefined, now: number): Learned {
    const known = [this.#peers.get(peer), saved].filter(
      (learned) => learned !== undefined && now - learned.at < believedSeconds,
    ) as Learned[]
    return known.reduce((a, b) => (b.at > a.at ? b : a), known[0] ?? { at: now })
  }

  learn(peer: PeerId, lesson: Lesson, now: number): Learned {
    const learned = { ...this.recall(peer, undefined, now), ...lesson, at: now }
    this.#peers.delete(peer)
    this.#peers.set(peer, learned)
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= maxPeers) break
      this.#peers.delete(oldest)
    }
    return learned
  }

  forget(peer: PeerId): void {
    this.#peers.delete(peer)
  }
}
