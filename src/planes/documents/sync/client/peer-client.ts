import type { Clock } from '../../../../kernel/clock.ts'
import { DocumentError } from '../../document-error.ts'
import type { KeyPair, PublicKey } from '../../entry/key-pair.ts'
import { formatAddress, type SyncAddress, sameAddress } from '../sync-address.ts'
import type { SyncTransport } from '../transport/sync-transport.ts'
import { protocolVersion, responderOf, sealRequest } from '../wire/envelope.ts'
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts'
import { nonceBytes, requestEnvelopeSchema, requestSchema, type SyncRequest } from '../wire/request.ts'
import {
  type ResponseOf,
  responseEnvelopeSchema,
  responseSchema,
  type SyncResponse,
} from '../wire/response.ts'
import { withDeadline } from './deadline.ts'
import { refusalOf, staleError } from './peer-refusal.ts'

export interface PeerClientParts {
  readonly device: KeyPair
  readonly clock: Clock
  readonly random: (length: number) => Uint8Array
  /** The transports that can dial such an address, in the order of their registration. */
  readonly transports: (type: string) => readonly SyncTransport[]
  /** Milliseconds one request may take. */
  readonly timeoutMs: number
}

/** Whom to ask, and where he may be. */
export interface PeerTarget {
  readonly peer: PublicKey
  /** Tried in order, the one that answered last before the others. */
  readonly addresses: readonly SyncAddress[]
}

export interface RequestOptions {
  /** Whose permissions count; default: the device's. */
  readonly access?: KeyPair | undefined
  readonly signal?: AbortSignal | undefined
  /** Told the bytes that went each way. */
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/** A responder that has proven who it is. */
interface Session {
  readonly peer: PublicKey
  readonly address: SyncAddress
  readonly epoch: Uint8Array
  /** What to add to our monotonic clock to get the responder's wall time. */
  readonly offset: number
}

/** Asks peers, at whichever of their addresses answers. Connects when something is asked and not before. */
export class PeerClient {
  readonly #parts: PeerClientParts
  readonly #sessions = new Map<PublicKey, Session>()

  constructor(parts: PeerClientParts) {
    this.#parts = parts
  }

  /**
   * Finds out who answers at an address.
   *
   * @throws DocumentError `document/unreachable`, `document/no-transport`, `document/peer-protocol`
   */
  async greet(address: SyncAddress, options: RequestOptions = {}): Promise<PublicKey> {
    const session = await this.#hello(address, options)
    this.#sessions.set(session.peer, session)
    return session.peer
  }

  /** Where it was last reached. */
  lastAddress(peer: PublicKey): SyncAddress | undefined {
    return this.#sessions.get(peer)?.address
  }

  /**
   * Asks a peer.
   *
   * @throws DocumentError `document/unreachable` when no address answers, `document/peer-…` as the peer answers
   */
  async ask<Type extends SyncRequest['type']>(
    target: PeerTarget,
    request: Extract<SyncRequest, { readonly type: Type }>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<Type>> {
    const { signal } = options
    let last: unknown
    for (const address of this.#order(target)) {
      signal?.throwIfAborted()
      try {
        return await this.#askAt(address, target.peer, request, options)
      } catch (error) {
        if (!isAboutAddress(error)) throw error
        last = error
        this.#sessions.delete(target.peer)
      }
    }
    signal?.throwIfAborted()
    if (last instanceof DocumentError) throw last
    throw new DocumentError('document/unreachable', `no address of ${target.peer} is known`)
  }

  #order({ peer, addresses }: PeerTarget): readonly SyncAddress[] {
    const known = this.#sessions.get(peer)?.address
    if (known === undefined) return addresses
    return [known, ...addresses.filter((address) => !sameAddress(address, known))]
  }

  async #askAt<Type extends SyncRequest['type']>(
    address: SyncAddress,
    peer: PublicKey,
    request: Extract<SyncRequest, { readonly type: Type }>,
    options: RequestOptions,
  ): Promise<ResponseOf<Type>> {
    const known = this.#sessions.get(peer)
    const session =
      known !== undefined && sameAddress(known.address, address)
        ? known
        : await this.#session(address, peer, options)
    try {
      return await this.#exchange(session, request, options)
    } catch (error) {
      if (error !== staleError) throw error
    }
    // The responder has begun anew since, or its clock was set. Once: a peer that does so every time is broken.
    const fresh = await this.#session(address, peer, options)
    try {
      return await this.#exchange(fresh, request, options)
    } catch (error) {
      if (error !== staleError) throw error
      throw protocol('it takes no request of ours as current')
    }
  }

  async #session(address: SyncAddress, peer: PublicKey, options: RequestOptions): Promise<Session> {
    const session = await this.#hello(address, options)
    if (session.peer !== peer)
      throw protocol(`at ${formatAddress(address)} answers ${session.peer}, not ${peer}`)
    this.#sessions.set(peer, session)
    return session
  }

  async #hello(address: SyncAddress, options: RequestOptions): Promise<Session> {
    const { clock } = this.#parts
    const nobody = { to: '', epoch: new Uint8Array(0), time: 0 }
    const { peer, response } = await this.#send(address, nobody, { type: 'hello' }, options)
    if (response.type !== 'hello') throw refusalOf(response, 'hello')
    return { peer, address, epoch: response.epoch, offset: response.time - clock.monotonic() }
  }

  async #exchange<Type extends SyncRequest['type']>(
    session: Session,
    request: Extract<SyncRequest, { readonly type: Type }>,
    options: RequestOptions,
  ): Promise<ResponseOf<Type>> {
    const time = Math.max(0, Math.round(this.#parts.clock.monotonic() + session.offset))
    const { peer: to, epoch } = session
    const { peer, response } = await this.#send(session.address, { to, epoch, time }, request, options)
    if (peer !== to) throw staleError
    if (response.type !== request.type) throw refusalOf(response, request.type)
    return response as ResponseOf<Type>
  }

  async #send(
    address: SyncAddress,
    to: { readonly to: string; readonly epoch: Uint8Array; readonly time: number },
    request: SyncRequest,
    { access, signal, onBytes }: RequestOptions,
  ): Promise<{ readonly peer: PublicKey; readonly response: SyncResponse }> {
    const { device, random, timeoutMs, clock } = this.#parts
    const body = encodeMessage(requestSchema, request)
    const unsigned = { ...to, version: protocolVersion, nonce: random(nonceBytes), body }
    const message = encodeMessage(requestEnvelopeSchema, sealRequest({ device, access }, unsigned))
    const answer = await withDeadline(clock, timeoutMs, signal, (within) =>
      this.#dial(address, message, within),
    )
    onBytes?.(message.length + answer.length)
    const envelope = decodeMessage(responseEnvelopeSchema, answer)
    if (envelope === undefined) throw protocol('its answer is not readable')
    if (envelope.version !== protocolVersion)
      throw protocol(`it speaks version ${envelope.version} of the protocol, not ${protocolVersion}`)
    const peer = responderOf(message, envelope)
    if (peer === undefined) throw protocol('its answer is not signed by the device it names')
    const response = decodeMessage(responseSchema, envelope.body)
    if (response === undefined) throw protocol('its answer is not readable')
    return { peer, response }
  }

  async #dial(address: SyncAddress, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const transports = this.#parts.transports(address.type)
    if (transports.length === 0)
      throw new DocumentError('document/no-transport', `no transport reaches ${formatAddress(address)}`)
    let last: unknown
    for (const transport of transports) {
      try {
        return await transport.send(address.address, message, signal)
      } catch (error) {
        signal.throwIfAborted()
        last = error
      }
    }
    throw last
  }
}

/** What another address of the same peer may do better. */
function isAboutAddress(error: unknown): boolean {
  if (!(error instanceof DocumentError)) return false
  const codes: readonly string[] = ['document/unreachable', 'document/no-transport', 'document/peer-protocol']
  return codes.includes(error.code)
}

function protocol(why: string): DocumentError {
  return new DocumentError('document/peer-protocol', `the peer broke the protocol: ${why}`)
}
