import { ApiError, errorFrom } from './api-error.ts'
import { eventsOf } from './event-stream.ts'
import type {
  ApiKey,
  AuditRecord,
  CreatedApiKey,
  DeadLetter,
  DispatchMode,
  DispatchReport,
  DocumentAccessRequest,
  DocumentDatabase,
  DocumentDatabaseDetail,
  DocumentJoin,
  DocumentPeer,
  DocumentSyncAttempt,
  DocumentsStatus,
  DocumentTicket,
  NewApiKey,
  NodeStatus,
  Relay,
  RelayAttributes,
  SyncDirection,
  SyncedDocumentLink,
  SyncHealth,
  SyncRun,
  SyncState,
  SyncStats,
  SyncStatus,
} from './types.ts'

export interface ClientOptions {
  /** Of the admin listener: `http://127.0.0.1:7780`. In a page served by it, `location.origin`. */
  readonly url: string
  /** A key: `rlk_…`. */
  readonly token: string
  /** Default: the platform's own. */
  readonly fetch?: typeof globalThis.fetch
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * The admin API, call by call. Needs nothing but `fetch`, so it runs in a browser as in Node. Every method throws
 * {@link ApiError}. A relay is named by its id or its URL.
 */
export class SynclineClient {
  readonly #base: string
  readonly #token: string
  readonly #fetch: typeof globalThis.fetch

  constructor({ url, token, fetch = globalThis.fetch.bind(globalThis) }: ClientOptions) {
    this.#base = `${url.replace(/\/$/, '')}/api/v1`
    this.#token = token
    this.#fetch = fetch
  }

  status(options?: CallOptions): Promise<NodeStatus> {
    return this.#get('/status', {}, options)
  }

  stats(options?: CallOptions): Promise<SyncStats> {
    return this.#get('/stats', {}, options)
  }

  health(options?: CallOptions): Promise<SyncHealth> {
    return this.#get('/health', {}, options)
  }

  relays(
    filter: { readonly enabled?: boolean; readonly direction?: SyncDirection } = {},
    options?: CallOptions,
  ): Promise<Relay[]> {
    return this.#get('/relays', filter, options)
  }

  relay(idOrUrl: string, options?: CallOptions): Promise<Relay> {
    return this.#get(relayPath(idOrUrl), {}, options)
  }

  createRelay(relay: RelayAttributes & { readonly url: string }, options?: CallOptions): Promise<Relay> {
    return this.#send('POST', '/relays', { upstream_relay: relay }, options)
  }

  /** Changes what `relay` names. */
  updateRelay(idOrUrl: string, relay: RelayAttributes, options?: CallOptions): Promise<Relay> {
    return this.#send('PATCH', relayPath(idOrUrl), { upstream_relay: relay }, options)
  }

  deleteRelay(idOrUrl: string, options?: CallOptions): Promise<void> {
    return this.#send('DELETE', relayPath(idOrUrl), undefined, options)
  }

  startRelay(idOrUrl: string, options?: CallOptions): Promise<void> {
    return this.#send('POST', `${relayPath(idOrUrl)}/start`, undefined, options)
  }

  stopRelay(idOrUrl: string, options?: CallOptions): Promise<void> {
    return this.#send('POST', `${relayPath(idOrUrl)}/stop`, undefined, options)
  }

  syncRelay(idOrUrl: string, mode: DispatchMode, options?: CallOptions): Promise<DispatchReport> {
    return this.#send('POST', `${relayPath(idOrUrl)}/sync`, { mode }, options)
  }

  resetRelay(idOrUrl: string, options?: CallOptions): Promise<{ reset: number }> {
    return this.#send('POST', `${relayPath(idOrUrl)}/reset`, undefined, options)
  }

  relayStates(idOrUrl: string, options?: CallOptions): Promise<SyncState[]> {
    return this.#get(`${relayPath(idOrUrl)}/state`, {}, options)
  }

  /** Newest first. */
  relayRuns(
    idOrUrl: string,
    query: { readonly limit?: number } = {},
    options?: CallOptions,
  ): Promise<SyncRun[]> {
    return this.#get(`${relayPath(idOrUrl)}/runs`, query, options)
  }

  /** Newest first. */
  deadLetters(
    idOrUrl: string,
    query: { readonly limit?: number } = {},
    options?: CallOptions,
  ): Promise<DeadLetter[]> {
    return this.#get(`${relayPath(idOrUrl)}/dead_letters`, query, options)
  }

  /** All of them, or those named by event id. */
  reviveDeadLetters(
    idOrUrl: string,
    eventIds?: readonly string[],
    options?: CallOptions,
  ): Promise<{ revived: number }> {
    const body = eventIds === undefined ? {} : { event_ids: eventIds }
    return this.#send('POST', `${relayPath(idOrUrl)}/dead_letters/revive`, body, options)
  }

  syncStates(
    filter: {
      readonly status?: SyncStatus
      readonly direction?: SyncDirection
      readonly relay?: string
    } = {},
    options?: CallOptions,
  ): Promise<SyncState[]> {
    return this.#get('/sync_states', filter, options)
  }

  triggerSync(mode: DispatchMode, url?: string, options?: CallOptions): Promise<DispatchReport> {
    return this.#send('POST', '/sync/trigger', url === undefined ? { mode } : { mode, url }, options)
  }

  recoverSync(options?: CallOptions): Promise<{ recovered_stale: number; retried_errors: number }> {
    return this.#send('POST', '/sync/recover', undefined, options)
  }

  /** One relay, or all. Events stay. */
  resetSync(relay?: string, options?: CallOptions): Promise<{ reset: number }> {
    return this.#send('POST', '/sync/reset', relay === undefined ? {} : { relay }, options)
  }

  /** The state of every link now, then each change, until the signal aborts. A lost connection ends it with an error. */
  async *events({ signal }: CallOptions = {}): AsyncGenerator<SyncState> {
    try {
      const response = await this.#call('GET', '/events', undefined, signal, 'text/event-stream')
      if (response.body === null) throw new ApiError(response.status, 'unexpected', 'the node sent no stream')
      for await (const { event, data } of eventsOf(response.body))
        if (event === 'state') yield JSON.parse(data) as SyncState
    } catch (error) {
      if (signal?.aborted) return
      throw error instanceof ApiError ? error : lost(error)
    }
  }

  /** Null where the node has no documents and serves none. */
  documents(options?: CallOptions): Promise<DocumentsStatus | null> {
    return this.#get('/documents', {}, options)
  }

  documentDatabases(options?: CallOptions): Promise<DocumentDatabase[]> {
    return this.#get('/documents/databases', {}, options)
  }

  /** A database is named by its id, or its name where only one has it. */
  documentDatabase(idOrName: string, options?: CallOptions): Promise<DocumentDatabaseDetail> {
    return this.#get(databasePath(idOrName), {}, options)
  }

  createDocumentDatabase(name: string, options?: CallOptions): Promise<DocumentDatabaseDetail> {
    return this.#send('POST', '/documents/databases', { name }, options)
  }

  joinDocumentDatabase(
    wish: {
      readonly ticket: string
      readonly permission?: string
      readonly name?: string
      readonly message?: string
    },
    options?: CallOptions,
  ): Promise<DocumentJoin> {
    return this.#send('POST', '/documents/join', wish, options)
  }

  shareDocumentDatabase(
    idOrName: string,
    { everySeconds }: { readonly everySeconds?: number } = {},
    options?: CallOptions,
  ): Promise<DocumentDatabaseDetail> {
    const body = everySeconds === undefined ? {} : { every_seconds: everySeconds }
    return this.#send('POST', `${databasePath(idOrName)}/share`, body, options)
  }

  unshareDocumentDatabase(idOrName: string, options?: CallOptions): Promise<void> {
    return this.#send('POST', `${databasePath(idOrName)}/unshare`, undefined, options)
  }

  /** Shares it, too. */
  documentTicket(idOrName: string, options?: CallOptions): Promise<DocumentTicket> {
    return this.#send('POST', `${databasePath(idOrName)}/ticket`, undefined, options)
  }

  /** One database, or all that are shared; answers when it is done. */
  syncDocuments(idOrName?: string, options?: CallOptions): Promise<SyncedDocumentLink[]> {
    if (idOrName === undefined) return this.#send('POST', '/documents/sync', undefined, options)
    return this.#send('POST', `${databasePath(idOrName)}/sync`, {}, options)
  }

  /** Newest first. */
  documentSyncAttempts(
    idOrName: string,
    query: { readonly peer?: string; readonly limit?: number } = {},
    options?: CallOptions,
  ): Promise<DocumentSyncAttempt[]> {
    return this.#get(`${databasePath(idOrName)}/attempts`, query, options)
  }

  documentPeers(options?: CallOptions): Promise<DocumentPeer[]> {
    return this.#get('/documents/peers', {}, options)
  }

  blockDocumentPeer(key: string, options?: CallOptions): Promise<void> {
    return this.#send('DELETE', `/documents/peers/${encodeURIComponent(key)}`, undefined, options)
  }

  /** Oldest first. */
  documentAccessRequests(
    query: { readonly status?: DocumentAccessRequest['status'] } = {},
    options?: CallOptions,
  ): Promise<DocumentAccessRequest[]> {
    return this.#get('/documents/requests', query, options)
  }

  /** By default as it was asked. */
  approveDocumentAccess(
    id: string,
    permission?: string,
    options?: CallOptions,
  ): Promise<DocumentAccessRequest> {
    const body = permission === undefined ? {} : { permission }
    return this.#send('POST', `/documents/requests/${encodeURIComponent(id)}/approve`, body, options)
  }

  rejectDocumentAccess(id: string, options?: CallOptions): Promise<DocumentAccessRequest> {
    return this.#send('POST', `/documents/requests/${encodeURIComponent(id)}/reject`, undefined, options)
  }

  /** `key` is a public key, or `everybody`. */
  grantDocumentAccess(
    idOrName: string,
    grant: { readonly key: string; readonly permission: string; readonly name?: string },
    options?: CallOptions,
  ): Promise<DocumentDatabaseDetail> {
    return this.#send('POST', `${databasePath(idOrName)}/grant`, grant, options)
  }

  revokeDocumentAccess(
    idOrName: string,
    key: string,
    options?: CallOptions,
  ): Promise<DocumentDatabaseDetail> {
    return this.#send('POST', `${databasePath(idOrName)}/revoke`, { key }, options)
  }

  apiKeys(options?: CallOptions): Promise<ApiKey[]> {
    return this.#get('/api_keys', {}, options)
  }

  createApiKey(key: NewApiKey, options?: CallOptions): Promise<CreatedApiKey> {
    return this.#send('POST', '/api_keys', { api_key: key }, options)
  }

  revokeApiKey(id: string, options?: CallOptions): Promise<void> {
    return this.#send('DELETE', `/api_keys/${encodeURIComponent(id)}`, undefined, options)
  }

  /** Newest first; `before` is the id of the last one seen. */
  auditLog(
    query: { readonly limit?: number; readonly before?: number } = {},
    options?: CallOptions,
  ): Promise<AuditRecord[]> {
    return this.#get('/audit_log', query, options)
  }

  async #get<T>(path: string, query: Query, options?: CallOptions): Promise<T> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined)
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
    const response = await this.#call(
      'GET',
      text === '' ? path : `${path}?${text}`,
      undefined,
      options?.signal,
    )
    return (await response.json()) as T
  }

  async #send<T>(method: string, path: string, body: unknown, options?: CallOptions): Promise<T> {
    const response = await this.#call(method, path, body, options?.signal)
    return (response.status === 204 ? undefined : await response.json()) as T
  }

  async #call(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
    accept = 'application/json',
  ): Promise<Response> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#token}`,
      // One form for every error.
      accept: `${accept}, application/problem+json`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const init = {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    }
    const response = await this.#fetch(this.#base + path, init).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw lost(error)
    })
    if (!response.ok) throw await errorFrom(response)
    return response
  }
}

const databasePath = (idOrName: string): string => `/documents/databases/${encodeURIComponent(idOrName)}`

const relayPath = (idOrUrl: string): string => `/relays/${encodeURIComponent(idOrUrl)}`

function lost(cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ApiError(0, 'unreachable', `the admin API cannot be reached: ${why}`, undefined, cause)
}
