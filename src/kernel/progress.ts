export type Phase =
  | 'connecting'
  /** The peer is there; others that sync with it go first. */
  | 'queued'
  | 'reconciling'
  | 'transferring'
  | 'verifying'
  | 'live'

/** What both sides hold at the end of a finished sync, as far as the peer can tell (promise K10). */
export interface Proof {
  readonly local: { readonly count: number; readonly fingerprint: string }
  readonly remote: { readonly count?: number | undefined; readonly fingerprint?: string | undefined }
  readonly equal: boolean | undefined
}

export interface Progress {
  readonly phase: Phase
  /** Items moved in this attempt, both ways. */
  readonly done: number
  /** Undefined when the protocol cannot know: then a percentage is never shown. */
  readonly remaining?: number | undefined
  /** Plane-specific counters (received, accepted, duplicate, rejected by reason, uploaded, rounds, bytes …). */
  readonly counters?: Readonly<Record<string, number>> | undefined
  /** When something last happened, by the plane's own names; wall ms. Kept over attempts, name by name. */
  readonly marks?: Readonly<Record<string, number>> | undefined
  /** How this attempt goes about it, for people and for its history: strategy, why a better one was not taken … */
  readonly notes?: Readonly<Record<string, string>> | undefined
  /** Given with the first `live` report: what the comparison after catching up found. */
  readonly proof?: Proof | undefined
}

/** How an attempt ended without throwing. */
export type Outcome =
  /** Nothing more for now. */
  | { readonly kind: 'caught-up'; readonly proof?: Proof | undefined }
  /** Bounded work done; come back at once. */
  | { readonly kind: 'more' }
  /** The checkpoint is unusable; start over. */
  | { readonly kind: 'rebuild'; readonly reason: string }
  /** A person must act. */
  | { readonly kind: 'blocked'; readonly reason: string }
