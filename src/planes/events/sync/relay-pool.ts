import type { Channel } from '../../../kernel/channel.ts'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { Peer } from '../../../kernel/peer.ts'
import type { SharedDial } from '../../../kernel/plane.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import type { Signer } from '../signer.ts'
import { CatchUpTurns } from './catch-up-turns.ts'
import { Cooldown } from './cooldown.ts'
import type { PeerSettings } from './peer-settings.ts'
import { RelayConnection } from './relay-connection.ts'
import { fetchRelayInfo, type ReadDocument, type RelayInfo } from './relay-info.ts'

export interface RelayPoolOptions {
  readonly signer: Signer
  /** Reads what a relay says about itself (NIP-11). */
  readonly readDocument: ReadDocument
  /** Links that catch up at once, of all relays. */
  readonly concurrency: number
}

/** What the pool needs of the attempt that asks first. */
export interface RelayRequest {
  readonly peer: Peer
  readonly settings: PeerSettings
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly dial: (protocol: string, options: SharedDial) => Promise<Channel>
}

/** One attempt's hold on a shared connection; the last one to let go closes it. */
export interface RelayHold extends AsyncDisposable {
  readonly connection: RelayConnection
  readonly turns: CatchUpTurns
  /** This attempt is the one that opened it. */
  readonly opened: boolean
}

interface Entry {
  readonly connected: Promise<RelayConnection>
  readonly turns: CatchUpTurns
  readonly abort: AbortController
  /** Undefined until it is open. */
  connection: RelayConnection | undefined
  holds: number
}

/** How long a document that was read, and found to be of the right relay, is believed (spec events §2.8). */
const infoMs = 600_000
/** Relays whose documents are kept, and whose wish for a rest is. */
const maxInfos = 1_000

/**
 * Connections to relays, one for all links that reach the same address in the same way as the same key. Opening one means
 * knowing first who is there: no WebSocket is opened before the information document has said so.
 */
export class RelayPool {
  readonly #options: RelayPoolOptions
  readonly #entries = new Map<string, Entry>()
  readonly #infos = new Map<string, { readonly at: number; readonly info: RelayInfo }>()
  readonly #cooldowns = new Map<string, Cooldown>()
  readonly #turns: CatchUpTurns

  constructor(options: RelayPoolOptions) {
    this.#options = options
    this.#turns = new CatchUpTurns(options.concurrency)
  }

  /** Is a connection for it open already, or being opened? */
  knows(request: RelayRequest): boolean {
    return this.#entries.has(keyOf(request))
  }

  async hold(request: RelayRequest): Promise<RelayHold> {
    const key = keyOf(request)
    const known = this.#entries.get(key)
    const entry = known ?? this.#open(key, request)
    entry.holds += 1
    let held = true
    const release = async () => {
      if (!held) return
      held = false
      await this.#release(key, entry)
    }
    try {
      const connection = await orAbort(entry.connected, request.signal)
      return { connection, turns: entry.turns, opened: known === undefined, [Symbol.asyncDispose]: release }
    } catch (error) {
      await release()
      throw error
    }
  }

  #open(key: string, request: RelayRequest): Entry {
    const abort = new AbortController()
    const entry: Entry = {
      connected: this.#connect(request, abort.signal),
      turns: new CatchUpTurns(request.settings.concurrency, this.#turns),
      abort,
      connection: undefined,
      holds: 0,
    }
    this.#entries.set(key, entry)
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
    // Whoever comes after a failure starts anew instead of failing with the others.
    entry.connected.then((connection) => {
      entry.connection = connection
      const { over } = connection
      if (over.aborted) forget()
      else over.addEventListener('abort', forget, { once: true })
    }, forget)
    return entry
  }

  async #release(key: string, entry: Entry): Promise<void> {
    entry.holds -= 1
    if (entry.holds > 0) return
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
    const unused = new SyncError('peer/unreachable', 'nobody uses the connection any more')
    if (entry.connection === undefined) entry.abort.abort(unused)
    const connection = await entry.connected.catch(() => undefined)
    await connection?.[Symbol.asyncDispose]()
    entry.abort.abort(unused)
  }

  async #connect(request: RelayRequest, signal: AbortSignal): Promise<RelayConnection> {
    const { peer, settings, clock, log, dial } = request
    const address = peer.addresses[0]
    if (address === undefined) throw new SyncError('config/invalid', `relay ${peer.name} has no URL`)
    const info = await this.#info(keyOf(request), request, signal)
    const channel = await dial('nostr', { signal, timeoutMs: settings.connectTimeoutMs })
    const { signer } = this.#options
    return new RelayConnection({
      cooldown: this.#cooldown(keyOf(request), clock),
      channel,
      url: urlOf(peer),
      info,
      authMode: settings.authMode,
      signer,
      clock,
      log,
    })
  }

  #cooldown(key: string, clock: Clock): Cooldown {
    const cooldown = this.#cooldowns.get(key) ?? new Cooldown(clock)
    this.#cooldowns.delete(key)
    this.#cooldowns.set(key, cooldown)
    for (const oldest of this.#cooldowns.keys()) {
      if (this.#cooldowns.size <= maxInfos) break
      this.#cooldowns.delete(oldest)
    }
    return cooldown
  }

  async #info(key: string, request: RelayRequest, signal: AbortSignal): Promise<RelayInfo> {
    const { peer, settings, clock, log } = request
    const cached = this.#infos.get(key)
    if (cached !== undefined && clock.now() - cached.at < infoMs) return cached.info
    const { signer, readDocument: read } = this.#options
    const [address] = peer.addresses
    const info = await fetchRelayInfo({
      address: address as NonNullable<typeof address>,
      read,
      clock,
      settings,
      ownPubkey: signer.pubkey,
      signal,
    })
    if (info.unknown !== undefined && settings.infoMode !== 'disabled')
      log.warn('nothing is known about the relay', { peer: peer.name, reason: info.unknown })
    this.#infos.delete(key)
    if (info.unknown === undefined) this.#infos.set(key, { at: clock.now(), info })
    for (const oldest of this.#infos.keys()) {
      if (this.#infos.size <= maxInfos) break
      this.#infos.delete(oldest)
    }
    return info
  }
}

/** As configured: what an AUTH event names, to the letter (spec events §2.7). */
function urlOf({ addresses, metadata }: Peer): string {
  const { url } = (metadata.definition ?? {}) as { readonly url?: unknown }
  return typeof url === 'string' ? url : (addresses[0]?.value ?? '')
}

function keyOf({ peer, settings }: RelayRequest): string {
  const { authMode, infoMode, pubkey, identityField, concurrency } = settings
  const how = [authMode, infoMode, pubkey, identityField, concurrency]
  return JSON.stringify([peer.addresses, urlOf(peer), ...how])
}

function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: either, resolve, reject } = Promise.withResolvers<T>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  promise.then(resolve, reject)
  return either.finally(() => signal.removeEventListener('abort', onAbort))
}
