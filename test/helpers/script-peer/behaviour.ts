import type { ServerResponse } from 'node:http'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import type { Frame } from '../../peers/test-client.ts'
import type { EventSet } from './event-set.ts'

export type { Frame } from '../../peers/test-client.ts'

/** What goes to the client: a frame, text or bytes as they are, a wait on the peer's clock, or the end of the line. */
export type Output =
  | Frame
  | string
  | Uint8Array
  | { readonly waitMs: number }
  | { readonly close: number }
  | 'cut'

/** One connection of a client, as a behaviour sees it. */
export interface PeerConnection {
  /** 1 for the first that was opened. */
  readonly number: number
  /** Where the peer listens. */
  readonly url: string
  readonly set: EventSet
  /** Frames of this connection so far, both ways, the current one included. */
  readonly frames: number
  /** Frames of all connections. */
  readonly framesOfPeer: number
  /** Seconds since 1970 by the peer's clock. */
  now(): number
  /** What the conforming relay underneath answers. */
  honest(frame: Frame): readonly Output[]
  /** Sends something nobody asked for. */
  push(...outputs: readonly Output[]): void
}

/** How a peer departs from a conforming relay on one connection. Left out: it does not. */
export interface Behaviour {
  /** Sent as soon as the connection is open. */
  readonly greet?: () => readonly Output[]
  /** Its own answer to a frame; undefined leaves it to the next behaviour, and at last to the relay underneath. */
  readonly answer?: (frame: Frame) => readonly Output[] | undefined
  /** What becomes of outputs on their way out. `asked` is undefined for what is sent live. */
  readonly bend?: (outputs: readonly Output[], asked: Frame | undefined) => readonly Output[]
  /** True: the line is cut in place of the current frame, whichever way it goes. */
  readonly cuts?: () => boolean
}

/** A character of a peer: a behaviour for each of its connections, and what it says about itself. */
export interface Personality {
  /** Parts of its NIP-11 document; where no personality has any, the peer serves none. */
  readonly info?: Readonly<Record<string, unknown>>
  /** Answers the request for the document itself. */
  readonly document?: (response: ServerResponse) => void
  /** Events it holds besides those the test gives it. */
  readonly events?: readonly NostrEvent[]
  readonly connect: (connection: PeerConnection) => Behaviour
}

export const isFrame = (output: Output): output is Frame => Array.isArray(output)

export const isEvent = (output: Output): output is Frame => isFrame(output) && output[0] === 'EVENT'
