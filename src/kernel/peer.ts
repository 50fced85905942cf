declare const brand: unique symbol
/** Assigned once, never derived from an address: a peer may move. */
export type PeerId = string & { readonly [brand]: 'PeerId' }

export interface Address {
  /** Names the transport that can dial it: `ws`, `http`, `iroh`, `memory`. */
  readonly transport: string
  readonly value: string
  /** For an address that is reached over TLS. Default: the host of the address, and the certificate authorities Node.js ships. */
  readonly tls?: TlsSettings
  /**
   * Data named it, not an operator: it is only connected to at addresses of the public internet. Without this anybody who
   * can publish could make us knock on doors of our own network (SSRF).
   */
  readonly publicOnly?: boolean
}

/**
 * How to know a peer by its certificate, on top of what TLS checks by itself. Files are PEM, by absolute path, and read anew
 * for every connection: replacing one needs no restart.
 */
export interface TlsSettings {
  /** The name the certificate must carry, and the one asked for (SNI), where that is not the host of the address. */
  readonly hostname?: string
  /** The only certificate authorities that count for this peer. */
  readonly caCertFile?: string
  /** Ours, for a peer that asks who we are; with `clientKeyFile` or not at all. */
  readonly clientCertFile?: string
  readonly clientKeyFile?: string
  /**
   * Base64 of the SHA-256 over a SubjectPublicKeyInfo (32 bytes). One of them must be the key of the peer's certificate or
   * of one that issued it; several allow for a change of keys.
   */
  readonly pins?: readonly string[]
  /** The oldest TLS spoken with it. Default: 1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
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
