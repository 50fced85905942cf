declare const brand: unique symbol
/** Assigned once, never derived from an address: a peer may move. */
export type PeerId = string & { readonly [brand]: 'PeerId' }

export interface Address {
  /** Names the transport that can dial it: `ws`, `http`, `iroh`, `memory`. */
  readonly transport: string
  readonly value: string
}

/** Someone we exchange data with. Says nothing about which data. */
export interface Peer {
  readonly id: PeerId
  /** What an operator calls it; for a relay that was only given by URL, its URL. */
  readonly name: string
  /** Tried in order. */
  readonly addresses: readonly Address[]
  readonly enabled: boolean
  /** What a plane or its facade wants to keep with the peer (notes, definition, capabilities). Opaque here. */
  readonly metadata: Readonly<Record<string, unknown>>
}

export const peerId = (value: string): PeerId => value as PeerId
