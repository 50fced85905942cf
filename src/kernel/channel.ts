import type { Address } from './peer.ts'

/** A message channel to one peer. Iterating ends when the peer closes; it throws `peer/unreachable` when the line breaks. */
export interface Channel extends AsyncIterable<string | Uint8Array>, AsyncDisposable {
  /** For people: the peer's address. */
  readonly remote: string
  /** Resolves when the peer's side has room; rejects when the channel is closed. */
  send(message: string | Uint8Array): Promise<void>
}

export interface DialOptions {
  /** The plane's wire protocol, for a transport that serves several on one address. */
  readonly protocol: string
  /** Aborts the dial; once connected, aborting closes the channel and iterating throws the signal's reason. */
  readonly signal: AbortSignal
  /** Milliseconds until connected; default: the transport's own. */
  readonly timeoutMs?: number | undefined
}

/** One way to reach peers. Whatever it holds open is released by disposing it. */
export interface Transport extends AsyncDisposable {
  readonly name: string
  /** Throws `peer/unreachable` or `peer/rejected`. */
  dial(address: Address, options: DialOptions): Promise<Channel>
}
