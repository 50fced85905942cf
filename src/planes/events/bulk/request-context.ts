const callers = ['local', 'websocket', 'http', 'sync'] as const

/** On whose behalf a bulk call is made (spec events §2.21). Required everywhere: no call reads more by leaving it out. */
export interface RequestContext {
  /** Through which door the request came; an import is checked by the rules of that door. */
  readonly caller: (typeof callers)[number]
  /** Public keys that authenticated (NIP-42): whose restricted events are shown. Default: none. */
  readonly authenticatedPubkeys?: readonly string[]
  /** The caller's address or URL, for policies. Default: the caller's name. */
  readonly remote?: string
  /** The peer a batch of the caller `sync` comes from, for policies and their plugins. */
  readonly peerId?: string
  /** Whatever `authorizeEvent` needs to know; nothing else looks at it. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

export function isRequestContext(value: unknown): value is RequestContext {
  if (typeof value !== 'object' || value === null) return false
  const { caller, authenticatedPubkeys = [] } = value as Partial<RequestContext>
  return callers.some((known) => known === caller) && Array.isArray(authenticatedPubkeys)
}
