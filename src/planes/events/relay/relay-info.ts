import type * as z from 'zod'
import type { Limits } from '../limits.ts'
import type { syncPageInfoSchema } from '../sync-page-frame.ts'
import { syncPageLimits } from './sync-pages.ts'

/** What an operator says about the relay (NIP-11). */
export interface RelayInfo {
  /** Below 30 characters. */
  readonly name: string
  readonly description?: string | undefined
  readonly banner?: string | undefined
  readonly icon?: string | undefined
  /** The relay's own identity, 64 hex. */
  readonly self?: string | undefined
  /** The administrator, 64 hex; without one the relay's own identity stands here. */
  readonly pubkey?: string | undefined
  readonly contact?: string | undefined
  /** Address of the software's home page. */
  readonly software?: string | undefined
  readonly version: string
  readonly terms_of_service?: string | undefined
}

const nips = [1, 9, 11, 40, 42, 45, 62, 67, 70, 77]
const managementNips = [86, 98]

function supportedNips({ management }: Offers): readonly number[] {
  return management ? [...nips, ...managementNips] : nips
}

/** What this relay serves and demands as it is configured now. */
export interface Offers {
  readonly syncPage: boolean
  /** Nothing is answered before AUTH. */
  readonly authRequired: boolean
  /** Not everybody's events are taken. */
  readonly restrictedWrites: boolean
  /** Administrators may call (NIP-86). */
  readonly management: boolean
}

/** The NIP-11 document. Every number in it comes from the object that is enforced (promise N9). */
export function relayDocument(info: RelayInfo, limits: Limits, offers: Offers) {
  return {
    ...info,
    pubkey: info.pubkey ?? info.self,
    supported_nips: supportedNips(offers),
    negentropy: 1,
    ...(offers.syncPage ? { sync_page: syncPageInfo(limits) } : {}),
    limitation: {
      ...limitation(limits),
      ...(offers.syncPage ? { max_sync_pages: limits.maxSyncPagesPerConnection } : {}),
      min_pow_difficulty: 0,
      auth_required: offers.authRequired,
      payment_required: false,
      restricted_writes: offers.restrictedWrites,
    },
  }
}

function syncPageInfo(limits: Limits): z.infer<typeof syncPageInfoSchema> {
  const { maxLimit, maxBytes } = syncPageLimits(limits)
  return { version: 1, max_limit: maxLimit, max_bytes: maxBytes }
}

/**
 * The names of NIP-11 first, then those it has none for: every number that something is refused or slowed down for. What only
 * holds back reading from a socket, like unsent bytes, no client meets as a limit.
 */
function limitation(limits: Limits) {
  return {
    max_message_length: limits.maxMessageBytes,
    max_subscriptions: limits.maxSubscriptions,
    max_filters: limits.maxFilters,
    max_limit: limits.maxLimit,
    default_limit: limits.defaultLimit,
    max_subid_length: limits.maxSubscriptionId,
    max_event_tags: limits.maxTags,
    max_content_length: limits.maxContentLength,
    created_at_upper_limit: limits.maxFutureSeconds,
    ...(limits.maxPastSeconds === 0 ? {} : { created_at_lower_limit: limits.maxPastSeconds }),

    max_event_bytes: limits.maxEventBytes,
    max_json_depth: limits.maxJsonDepth,
    max_tag_value_bytes: limits.maxTagValueBytes,
    max_filter_values: limits.maxFilterValues,
    max_filter_tag_values: limits.maxTagValues,
    max_filter_pairs: limits.maxFilterPairs,
    max_subscription_values: limits.maxSubscriptionValues,
    max_auth_age: limits.maxAuthAge,
    max_subscription_values_total: limits.maxSubscriptionValuesTotal,
    max_connections: limits.maxConnections,
    max_connections_per_address: limits.maxConnectionsPerAddress,
    events_per_second: limits.eventsPerConnection,
    events_per_second_per_address: limits.eventsPerAddress,
    events_per_second_total: limits.eventsPerRelay,
    requests_per_second: limits.requestsPerConnection,
    requests_per_second_per_address: limits.requestsPerAddress,
    burst_seconds: limits.burstSeconds,
    bad_messages_per_minute: limits.badMessagesPerMinute,
    max_neg_sessions: limits.maxNegSessionsPerConnection,
    max_neg_sessions_total: limits.maxNegSessions,
    max_neg_records: limits.maxNegRecords,
    max_neg_records_in_memory: limits.maxNegRecordsInMemory,
    neg_idle_seconds: limits.negIdleMs / 1_000,
  }
}

/** What a person sees who opens the relay's address in a browser. */
export function landingPage(info: RelayInfo, offers: Offers, url: string): string {
  return [
    info.name,
    ...(info.description ? [info.description] : []),
    '',
    `A Nostr relay (${supportedNips(offers)
      .map((nip) => `NIP-${nip}`)
      .join(', ')}).`,
    `Connect to it with a Nostr client: ${url}`,
    '',
  ].join('\n')
}
