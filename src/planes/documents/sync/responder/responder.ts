import type { Clock } from '../../../../kernel/clock.ts'
import type { Logger } from '../../../../kernel/logger.ts'
import type { Instance } from '../../instance.ts'
import type { PeerRecords } from '../records/peer-records.ts'
import { protocolVersion, type Requester, requesterOf, sealResponse } from '../wire/envelope.ts'
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts'
import {
  epochBytes,
  type RequestEnvelope,
  requestEnvelopeSchema,
  requestSchema,
  type SyncRequest,
} from '../wire/request.ts'
import { responseEnvelopeSchema, responseSchema, type SyncResponse } from '../wire/response.ts'
import type { AccessDesk } from './access-desk.ts'
import type { SharedTrees } from './shared-trees.ts'
import { SpentNonces } from './spent-nonces.ts'
import { WireRefusal } from './wire-refusal.ts'

export interface ResponderParts {
  readonly instance: Instance
  readonly clock: Clock
  readonly log: Logger
  readonly peers: PeerRecords
  readonly trees: SharedTrees
  readonly desk: AccessDesk
  readonly random: (length: number) => Uint8Array
  /** Told to everybody who asks. */
  readonly name?: string | undefined
  readonly nonces?: SpentNonces | undefined
}

/**
 * Answers requests, whatever they came by. Whoever asks is proven before anything else is looked at, and every request is
 * for this node, this run of it, and once.
 */
export class Responder {
  readonly #parts: ResponderParts
  readonly #epoch: Uint8Array
  readonly #nonces: SpentNonces

  constructor(parts: ResponderParts) {
    this.#parts = parts
    this.#epoch = parts.random(epochBytes)
    this.#nonces = parts.nonces ?? new SpentNonces()
  }

  /** Never throws: whatever is wrong is an answer too. */
  async answer(message: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const response = await this.#respond(message, signal).catch((error: unknown) => this.#refusal(error))
    const body = encodeMessage(responseSchema, response)
    const envelope = sealResponse(this.#parts.instance.device, message, body)
    return encodeMessage(responseEnvelopeSchema, envelope)
  }

  async #respond(message: Uint8Array, signal: AbortSignal | undefined): Promise<SyncResponse> {
    const envelope = decodeMessage(requestEnvelopeSchema, message)
    if (envelope === undefined) throw new WireRefusal('bad-request', 'the message is not readable')
    if (envelope.version !== protocolVersion)
      throw new WireRefusal('version', `version ${protocolVersion} is spoken here, not ${envelope.version}`)
    const request = decodeMessage(requestSchema, envelope.body)
    if (request === undefined) throw new WireRefusal('bad-request', 'the request is not readable')
    if (request.type === 'hello') return this.#hello()
    const requester = this.#authenticate(envelope)
    if (this.#parts.peers.isBlocked(requester.device))
      throw new WireRefusal('denied', 'this device is not served')
    return await this.#serve(requester, request, signal)
  }

  #hello(): SyncResponse {
    const { clock, name } = this.#parts
    const label = name === undefined ? {} : { name }
    return { type: 'hello', epoch: this.#epoch, time: clock.now(), ...label }
  }

  #authenticate(envelope: RequestEnvelope): Requester {
    const { instance, clock } = this.#parts
    if (envelope.to !== instance.id || Buffer.compare(envelope.epoch, this.#epoch) !== 0)
      throw new WireRefusal('stale', 'the request is for another responder, or for a former run of this one')
    const requester = requesterOf(envelope)
    if (requester === undefined)
      throw new WireRefusal('unauthentic', 'a signature is not of the key it names')
    // Only now: what is not signed must not fill the memory of what was.
    const verdict = this.#nonces.spend(requester.device, envelope.nonce, envelope.time, clock.now())
    if (verdict === 'expired') throw new WireRefusal('expired', 'the request is dated too far from now')
    if (verdict === 'replayed') throw new WireRefusal('replayed', 'the request was here before')
    if (verdict === 'full') throw new WireRefusal('busy', 'too many requests')
    return requester
  }

  async #serve(
    requester: Requester,
    request: Exclude<SyncRequest, { readonly type: 'hello' }>,
    signal: AbortSignal | undefined,
  ): Promise<SyncResponse> {
    const { trees, desk } = this.#parts
    if (request.type === 'trees') return await trees.list(requester)
    if (request.type === 'sync') return await trees.sync(requester, request, signal)
    if (request.type === 'reconcile') return await trees.reconcile(requester, request)
    return await desk.ask(await trees.shared(request.tree), requester, request)
  }

  #refusal(error: unknown): SyncResponse {
    if (error instanceof WireRefusal) return { type: 'error', code: error.code, message: error.message }
    // What went wrong inside is nobody else's business.
    this.#parts.log.error('a sync request failed', { error: String(error) })
    return { type: 'error', code: 'internal', message: 'the request failed here' }
  }
}
