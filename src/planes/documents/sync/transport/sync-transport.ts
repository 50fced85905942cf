import type { SyncAddress } from '../sync-address.ts'

/** Answers one message with one. Never throws. */
export type MessageHandler = (message: Uint8Array, signal?: AbortSignal) => Promise<Uint8Array>

/** A way for messages to reach a peer and back; knows nothing of what they say. */
export interface SyncTransport extends AsyncDisposable {
  /** The `type` of its addresses: `http`, `iroh`, `memory`. */
  readonly type: string
  /** Throws `document/unreachable` when the message may not have arrived, or its answer did not. */
  send(address: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  /** Undefined: it only dials. Dispose what it answers to stop. */
  listen?(handler: MessageHandler): Promise<Listening>
}

export interface Listening extends AsyncDisposable {
  /** Where others can dial it. */
  readonly addresses: readonly SyncAddress[]
}

/** Makes a transport of its state (JSON), which is kept by the name it is registered under. */
export interface TransportBuilder {
  readonly type: string
  build(state: unknown): Promise<BuiltTransport> | BuiltTransport
}

export interface BuiltTransport {
  readonly transport: SyncTransport
  /** To be kept; undefined: as it was. */
  readonly state?: unknown
}
