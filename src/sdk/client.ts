import { ApiError, errorFrom } from './api-error.ts'
import { eventsOf } from './event-stream.ts'
import type {
  ApiKey,
  AuditRecord,
  CreatedApiKey,
  DeadLetter,
  DispatchMode,
  DispatchReport,
  NewApiKey,
  NodeStatus,
  Relay,
  RelayAttributes,
  SyncDirection,
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

const relayPath = (idOrUrl: string): string => `/relays/${encodeURIComponent(idOrUrl)}`

function lost(cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ApiError(0, 'unreachable', `the admin API cannot be reached: ${why}`, undefined, cause)
}
