import { Counter, Gauge, type Registry } from 'prom-client'
import type { MetricDefinition } from './metric-definitions.ts'

/** A relay that a profile mirrors, as its links and its health tell when somebody asks. */
export interface MirroredRelayMetrics {
  /** Its one spelling; there are never more than `proactive.maxRelays`. */
  readonly relay: string
  readonly connection: 'disconnected' | 'connecting' | 'syncing' | 'connected' | 'connected-with-failures'
  readonly health: 'healthy' | 'disconnected' | 'degraded' | 'dead' | 'rate-limited'
  readonly failures: number
  readonly connected: number
  readonly failedToConnect: number
  /** Events that came from it and were not here before. */
  readonly accepted: number
}

export interface MirrorMetricsSnapshot {
  readonly relays: readonly MirroredRelayMetrics[]
  readonly profiles: readonly {
    readonly profile: string
    readonly subjects: number
    readonly chunks: number
    readonly relaysLeftOut: number
    readonly leftOut: Readonly<Record<string, number>>
  }[]
  readonly held:
    | { readonly events: number; readonly cold: number; readonly refused: number; readonly expired: number }
    | undefined
}

/** The names of ngit-grasp where they mean the same, so that dashboards and alerts made for it go on working. */
export const mirrorMetricDefinitions = {
  relayConnected: {
    name: 'ngit_sync_relay_connected',
    kind: 'gauge',
    unit: 'info',
    help: 'Connection with a mirrored relay: 0 disconnected, 1 connecting, 2 syncing, 3 connected, 4 connected while some history cannot be had.',
    labels: ['relay'],
  },
  attempts: {
    name: 'ngit_sync_connection_attempts_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Attempts to connect to a mirrored relay, by result: success, failure.',
    labels: ['relay', 'result'],
  },
  eventsSynced: {
    name: 'ngit_sync_events_synced_total',
    kind: 'counter',
    unit: 'events',
    help: 'Events from mirrored relays that were not here before.',
    labels: [],
  },
  tracked: {
    name: 'ngit_sync_relays_tracked_total',
    kind: 'gauge',
    unit: 'links',
    help: 'Relays that are mirrored.',
    labels: [],
  },
  connected: {
    name: 'ngit_sync_relays_connected_total',
    kind: 'gauge',
    unit: 'links',
    help: 'Mirrored relays with a connection.',
    labels: [],
  },
  dead: {
    name: 'ngit_sync_relays_dead_total',
    kind: 'gauge',
    unit: 'links',
    help: 'Mirrored relays without any success for a day; each is tried once a day.',
    labels: [],
  },
  status: {
    name: 'ngit_sync_relay_status',
    kind: 'gauge',
    unit: 'info',
    help: 'Health of a mirrored relay: 1 healthy, 2 disconnected, 3 degraded, 4 dead, 5 rate limited.',
    labels: ['relay'],
  },
  failures: {
    name: 'ngit_sync_relay_failures',
    kind: 'gauge',
    unit: 'requests',
    help: 'Failures of a mirrored relay in a row.',
    labels: ['relay'],
  },
  subjects: {
    name: 'syncline_proactive_subjects',
    kind: 'gauge',
    unit: 'info',
    help: 'Repositories, authors or whatever else a profile mirrors.',
    labels: ['profile'],
  },
  chunks: {
    name: 'syncline_proactive_chunks',
    kind: 'gauge',
    unit: 'info',
    help: 'Groups of values that relays are asked about together.',
    labels: ['profile'],
  },
  leftOut: {
    name: 'syncline_proactive_left_out',
    kind: 'gauge',
    unit: 'info',
    help: 'What was wanted and left out because a bound was reached or it made no sense: relays, peers, badPeers, subjects, children.',
    labels: ['profile', 'reason'],
  },
  held: {
    name: 'syncline_held_events',
    kind: 'gauge',
    unit: 'events',
    help: 'Events that wait for what they belong to (`hot`), and those given up that are remembered (`cold`).',
    labels: ['state'],
  },
  heldEnded: {
    name: 'syncline_held_ended_total',
    kind: 'counter',
    unit: 'events',
    help: 'Events that were held in vain (`expired`) or found no room (`refused`), since the process began.',
    labels: ['result'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>

const connectionValues = {
  disconnected: 0,
  connecting: 1,
  syncing: 2,
  connected: 3,
  'connected-with-failures': 4,
} as const
const healthValues = { healthy: 1, disconnected: 2, degraded: 3, dead: 4, 'rate-limited': 5 } as const

/** What a node finds by itself, in the form of Prometheus. */
export class MirrorMetrics {
  readonly #metrics: { readonly [Name in keyof typeof mirrorMetricDefinitions]: Gauge | Counter }

  constructor(registry: Registry) {
    const made = Object.entries(mirrorMetricDefinitions).map(([key, { name, help, labels, kind }]) => {
      const options = { name, help, labelNames: [...labels], registers: [registry] }
      return [key, kind === 'counter' ? new Counter(options) : new Gauge(options)]
    })
    this.#metrics = Object.fromEntries(made)
  }

  /** Replaces everything by what is so now. */
  set({ relays, profiles, held }: MirrorMetricsSnapshot): void {
    const m = this.#metrics
    for (const metric of Object.values(m)) metric.reset()
    for (const { relay, connection, health, failures, connected, failedToConnect, accepted } of relays) {
      m.relayConnected.inc({ relay }, connectionValues[connection])
      m.status.inc({ relay }, healthValues[health])
      m.failures.inc({ relay }, failures)
      m.attempts.inc({ relay, result: 'success' }, connected)
      m.attempts.inc({ relay, result: 'failure' }, failedToConnect)
      m.eventsSynced.inc(accepted)
    }
    m.tracked.inc(relays.length)
    m.connected.inc(
      relays.filter(({ connection }) => connectionValues[connection] >= connectionValues.syncing).length,
    )
    m.dead.inc(relays.filter(({ health }) => health === 'dead').length)
    for (const { profile, subjects, chunks, relaysLeftOut, leftOut } of profiles) {
      m.subjects.inc({ profile }, subjects)
      m.chunks.inc({ profile }, chunks)
      m.leftOut.inc({ profile, reason: 'relays' }, relaysLeftOut)
      for (const [reason, count] of Object.entries(leftOut)) m.leftOut.inc({ profile, reason }, count)
    }
    if (held === undefined) return
    m.held.inc({ state: 'hot' }, held.events)
    m.held.inc({ state: 'cold' }, held.cold)
    m.heldEnded.inc({ result: 'expired' }, held.expired)
    m.heldEnded.inc({ result: 'refused' }, held.refused)
  }
}
