import type { LinkId } from '../../../kernel/link.ts'
import type { Peer } from '../../../kernel/peer.ts'
import type { Plane } from '../../../kernel/plane.ts'
import type { Outcome, Progress } from '../../../kernel/progress.ts'
import type { Migration } from '../../../kernel/store.ts'
import type { RelayConfig } from '../definition/relay-config.ts'
import type { EventStore } from '../event-store.ts'
import { parseSyncFilter } from '../filter-parser.ts'
import type { Ingest } from '../ingest.ts'
import type { Limits } from '../limits.ts'
import type { Signer } from '../signer.ts'
import { Attempt } from './attempt.ts'
import type { EventsScope, PeerPolicies } from './attempt-state.ts'
import { checkpointSchema, type EventsCheckpoint } from './checkpoint.ts'
import type { Difference } from './negentropy-session.ts'
import { PeerMemory } from './peer-memory.ts'
import type { ReadDocument } from './relay-info.ts'
import { RelayPool } from './relay-pool.ts'

export interface EventsPlaneOptions<Tx> {
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  /** Who we are to relays that ask (NIP-42). */
  readonly signer: Signer
  readonly limits: Limits
  /** Reads what a relay says about itself (NIP-11). */
  readonly readDocument: ReadDocument
  readonly migrations: readonly Migration<Tx>[]
  /** Links that catch up at once, of all relays; the others wait for their turn. */
  readonly concurrency: number
  /** What the node sets for all relays; default: nothing. */
  readonly relayConfig?: RelayConfig | undefined
  /** The plugins of a relay; disposed of when its attempt ends. Default: none. */
  readonly openPolicies?: ((peer: Peer) => Promise<PeerPolicies & AsyncDisposable>) | undefined
  /** Told by a dry run what it finds. Default: nobody. */
  readonly onDifference?: ((link: LinkId, difference: Difference) => void) | undefined
}

export type EventsPlane<Tx> = Plane<EventsScope, EventsCheckpoint, Tx>

/** What attempts of one plane have in common. */
export interface PlaneParts<Tx> extends EventsPlaneOptions<Tx> {
  readonly pool: RelayPool
  readonly memory: PeerMemory
}

/** Signed Nostr events, kept in step with one relay per link. */
export function createEventsPlane<Tx>(options: EventsPlaneOptions<Tx>): EventsPlane<Tx> {
  const { signer, readDocument, concurrency } = options
  const parts: PlaneParts<Tx> = {
    ...options,
    pool: new RelayPool({ signer, readDocument, concurrency }),
    memory: new PeerMemory(),
  }
  return {
    name: 'events',
    scope: {
      parse: (input) => ({
        filter: parseSyncFilter((input as EventsScope | undefined)?.filter, options.limits),
      }),
    },
    checkpoint: checkpointSchema,
    migrations: options.migrations,
    sync: (session): AsyncGenerator<Progress, Outcome> => new Attempt(parts, session).run(),
  }
}
