import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  type Client,
  type Event,
  EventRepository,
  type Filter,
  type IncomingMessage,
  LogLevel,
} from '@nostr-relay/common'
import { NostrRelay } from '@nostr-relay/core'
import { matchFilter } from 'nostr-tools'
import { WebSocketServer } from 'ws'

/** Storage for the foreign relay: an array, newest first, that hands out at most `cap` events whatever is asked. */
class CappedRepository extends EventRepository {
  readonly events = new Map<string, Event>()
  readonly #cap: number

  constructor(cap: number) {
    super()
    this.#cap = cap
  }

  isSearchSupported(): boolean {
    return false
  }

  upsert(event: Event): { isDuplicate: boolean } {
    if (this.events.has(event.id)) return { isDuplicate: true }
    this.events.set(event.id, event)
    return { isDuplicate: false }
  }

  find(filter: Filter): Event[] {
    const matching = [...this.events.values()].filter((event) =>
      matchFilter(filter as Parameters<typeof matchFilter>[0], event),
    )
    const newest = matching.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
    return newest.slice(0, Math.min(filter.limit ?? this.#cap, this.#cap))
  }

  async destroy(): Promise<void> {}
}

export interface ForeignRelay extends AsyncDisposable {
  readonly url: string
  readonly events: Map<string, Event>
  /** Cuts every connection, as a restart would. */
  cut(): void
}

/** An independent relay from npm that speaks REQ and EVENT, and neither NIP-77 nor COUNT. */
export async function relayWithoutNegentropy(cap: number): Promise<ForeignRelay> {
  const repository = new CappedRepository(cap)
  const relay = new NostrRelay(repository, { logLevel: LogLevel.ERROR, filterResultCacheTtl: 0 })
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    const client = socket as unknown as Client
    relay.handleConnection(client)
    socket.on('message', (data) => {
      void relay.handleMessage(client, JSON.parse(String(data)) as IncomingMessage)
    })
    socket.on('close', () => relay.handleDisconnect(client))
    socket.on('error', () => {})
  })
  const cut = () => {
    for (const socket of server.clients) socket.terminate()
  }
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events: repository.events,
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
      await relay.destroy()
    },
  }
}
