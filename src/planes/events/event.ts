/** A signed Nostr event (NIP-01). Every hex field is lowercase. */
export interface NostrEvent {
  /** 64 hex: SHA-256 of the canonical serialisation. */
  readonly id: string
  /** 64 hex: x-only secp256k1 public key of the author. */
  readonly pubkey: string
  /** Seconds since 1970, as the author claims; 0 … 2^53−1. */
  readonly created_at: number
  /** 0 … 65535. */
  readonly kind: number
  readonly tags: readonly (readonly string[])[]
  readonly content: string
  /** 128 hex: BIP-340 signature over the id. */
  readonly sig: string
}

/**
 * An event whose shape and id were checked, with the JSON text to store and serve.
 *
 * `raw` is the sender's own text, byte for byte. Only when that text held more than the seven fields, one of them twice,
 * or a line break, is it our own serialisation instead: what others would read differently must not be passed on, and
 * every `raw` is one line.
 */
export interface ParsedEvent {
  readonly event: NostrEvent
  readonly raw: string
}

/** What the store hands out: enough to serve and to page without parsing `raw` again. */
export interface StoredEvent {
  /** Strictly increasing in the order the store first accepted events. */
  readonly seq: number
  readonly id: string
  readonly created_at: number
  readonly raw: string
}
