/**
 * Every fixed limit of the events plane, in one object that is enforced and advertised alike (promise N9): the
 * `limitation` of the NIP-11 document is made from it. All are plain numbers, so that each can be configured by name.
 */
export interface Limits {
  /** Bytes of one WebSocket message. */
  readonly maxMessageBytes: number
  /** Bytes of one event as JSON text. */
  readonly maxEventBytes: number
  /** Nesting of JSON text; an event needs 3, a REQ 3. At most 30. */
  readonly maxJsonDepth: number
  /** Tags of one event. */
  readonly maxTags: number
  /** UTF-8 bytes of one string inside a tag, or of one value of a tag filter. */
  readonly maxTagValueBytes: number
  /** Unicode characters of an event's content. */
  readonly maxContentLength: number
  /** Seconds by which `created_at` may lie ahead of our time. */
  readonly maxFutureSeconds: number
  /** Seconds by which a client's `created_at` may lie behind our time; 0: any age. Sync and import are not bound. */
  readonly maxPastSeconds: number

  /** Filters of one REQ or COUNT. */
  readonly maxFilters: number
  /** Values of each of `ids`, `authors` and `kinds` in a filter. */
  readonly maxFilterValues: number
  /** Values of each tag condition in a filter. */
  readonly maxTagValues: number
  /** `authors` × `kinds` of one filter: each pair is a place of its own in the index. */
  readonly maxFilterPairs: number
  /** Events of one filter's stored phase; a larger `limit` is lowered to it. */
  readonly maxLimit: number
  /** The same for a filter without `limit`. */
  readonly defaultLimit: number
  /** Open subscriptions of one connection. */
  readonly maxSubscriptions: number
  /** Filter values held by all subscriptions of one connection. */
  readonly maxSubscriptionValues: number
  /** The same over all connections. */
  readonly maxSubscriptionValuesTotal: number
  /** Characters of a subscription id (NIP-01: 64). */
  readonly maxSubscriptionId: number

  /** Seconds by which an AUTH event's `created_at` may differ from our time, either way (NIP-42). */
  readonly maxAuthAge: number

  /** Connections in all. */
  readonly maxConnections: number
  /** Connections from one IP address (IPv6: one /64). */
  readonly maxConnectionsPerAddress: number
  /** Events per second of one connection; faster senders are slowed down, not refused. Generous: a peer's upload is one. */
  readonly eventsPerConnection: number
  /** Events per second from one IP address. */
  readonly eventsPerAddress: number
  /** Events per second over all connections. */
  readonly eventsPerRelay: number
  /** REQ, COUNT, NEG-OPEN, SYNC-PAGE and AUTH per second of one connection. */
  readonly requestsPerConnection: number
  /** The same from one IP address, handshakes included. */
  readonly requestsPerAddress: number
  /** Seconds of each of these rates that may be spent at once. */
  readonly burstSeconds: number
  /** Messages that make no sense, per minute of one connection; one more closes it. */
  readonly badMessagesPerMinute: number

  /** Events of one connection taken in and not yet answered. Beyond, nothing more is read from it. */
  readonly maxEventsInFlight: number
  /** The same in bytes. */
  readonly maxBytesInFlight: number
  /** Bytes waiting to be sent to one connection before reading for it pauses. */
  readonly maxPendingBytes: number
  /** The same over all connections. */
  readonly maxPendingBytesTotal: number

  /** Negentropy sessions of one connection (NIP-77). */
  readonly maxNegSessionsPerConnection: number
  /** Negentropy sessions in all. */
  readonly maxNegSessions: number
  /** Milliseconds after which an unused negentropy session ends. */
  readonly negIdleMs: number
  /** Records in the set of one negentropy session. */
  readonly maxNegRecords: number
  /** Records kept in memory for all negentropy sessions together, some 40 bytes each. */
  readonly maxNegRecordsInMemory: number
  /** Bytes of one negentropy message before it is written as hex. */
  readonly maxNegFrameBytes: number

  /** Rows of one SYNC-PAGE; a larger `limit` is lowered to it. */
  readonly maxSyncPageLimit: number
  /** Bytes of the answer to one SYNC-PAGE, and never more than `maxMessageBytes`. A page that would be larger ends earlier. */
  readonly maxSyncPageBytes: number
  /** Pages one connection may have asked for and not yet got. */
  readonly maxSyncPagesPerConnection: number
}

export const defaultLimits: Limits = {
  maxMessageBytes: 1_048_576,
  maxEventBytes: 262_144,
  maxJsonDepth: 16,
  maxTags: 2_000,
  maxTagValueBytes: 4_096,
  maxContentLength: 200_000,
  maxFutureSeconds: 900,
  maxPastSeconds: 0,

  maxFilters: 16,
  maxFilterValues: 1_000,
  maxTagValues: 128,
  maxFilterPairs: 50_000,
  maxLimit: 500,
  defaultLimit: 500,
  maxSubscriptions: 64,
  maxSubscriptionValues: 20_000,
  maxSubscriptionValuesTotal: 1_000_000,
  maxSubscriptionId: 64,

  maxAuthAge: 600,

  maxConnections: 2_000,
  maxConnectionsPerAddress: 20,
  eventsPerConnection: 2_000,
  eventsPerAddress: 5_000,
  eventsPerRelay: 20_000,
  requestsPerConnection: 50,
  requestsPerAddress: 200,
  burstSeconds: 10,
  badMessagesPerMinute: 20,

  maxEventsInFlight: 1_024,
  maxBytesInFlight: 4_194_304,
  maxPendingBytes: 1_048_576,
  maxPendingBytesTotal: 67_108_864,

  maxNegSessionsPerConnection: 8,
  maxNegSessions: 200,
  negIdleMs: 60_000,
  maxNegRecords: 1_000_000,
  maxNegRecordsInMemory: 4_000_000,
  maxNegFrameBytes: 500_000,

  maxSyncPageLimit: 500,
  maxSyncPageBytes: 1_000_000,
  maxSyncPagesPerConnection: 4,
}
