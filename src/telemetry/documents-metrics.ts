import { Counter, Gauge, type Registry } from 'prom-client'
import { metricDefinitions as d, type MetricDefinition } from './metric-definitions.ts'

/** The documents of a node, as they are when somebody asks. */
export interface DocumentsMetricsSnapshot {
  readonly status: {
    readonly healthy: boolean
    readonly databases: { readonly total: number; readonly shared: number; readonly awaited: number }
    readonly entries: { readonly verified: number; readonly unverified: number; readonly failed: number }
    readonly peers: number
    readonly links: { readonly total: number; readonly in_step: number; readonly failing: number }
    readonly pending_requests: number
  }
  /** Since the process started; undefined where they cannot be opened. */
  readonly totals:
    | {
        readonly attempts: { readonly succeeded: number; readonly failed: number }
        readonly entries: { readonly received: number; readonly sent: number }
        readonly bytes: { readonly dialled: number; readonly answered: number }
        readonly answers: number
      }
    | undefined
}

/** Everything is read at a scrape. */
export class DocumentsMetrics {
  readonly #scraped: ReturnType<typeof scrapedMetrics>

  constructor(registry: Registry) {
    this.#scraped = scrapedMetrics(registry)
  }

  set(documents: DocumentsMetricsSnapshot | undefined): void {
    const scraped = this.#scraped
    // What is not known must be absent: a 0 would raise alerts where there are no documents.
    for (const metric of Object.values(scraped.plain)) metric.remove()
    for (const metric of Object.values(scraped.labelled)) metric.reset()
    if (documents === undefined) return
    const { status, totals } = documents
    const { plain, labelled } = scraped
    plain.healthy.set(Number(status.healthy))
    if (totals === undefined) return
    const { total, shared, awaited } = status.databases
    labelled.databases.set({ state: 'private' }, total - shared - awaited)
    labelled.databases.set({ state: 'shared' }, shared)
    labelled.databases.set({ state: 'awaited' }, awaited)
    for (const [verification, count] of Object.entries(status.entries))
      labelled.entries.set({ verification }, count)
    plain.peers.set(status.peers)
    plain.links.set(status.links.total)
    plain.inStep.set(status.links.in_step)
    plain.failing.set(status.links.failing)
    plain.requests.set(status.pending_requests)
    for (const [outcome, count] of Object.entries(totals.attempts)) labelled.attempts.inc({ outcome }, count)
    for (const [way, count] of Object.entries(totals.entries)) labelled.moved.inc({ way }, count)
    for (const [side, count] of Object.entries(totals.bytes)) labelled.bytes.inc({ side }, count)
    plain.answered.inc(totals.answers)
  }
}

function scrapedMetrics(registry: Registry) {
  const gauge = (definition: MetricDefinition) => new Gauge(optionsOf(definition, registry))
  const counter = (definition: MetricDefinition) => new Counter(optionsOf(definition, registry))
  return {
    plain: {
      healthy: gauge(d.documentsHealthy),
      peers: gauge(d.documentsPeers),
      links: gauge(d.documentsLinks),
      inStep: gauge(d.documentsLinksInStep),
      failing: gauge(d.documentsLinksFailing),
      requests: gauge(d.documentsAccessRequests),
      answered: counter(d.documentsRequestsAnswered),
    },
    labelled: {
      databases: gauge(d.documentsDatabases),
      entries: gauge(d.documentsEntries),
      attempts: counter(d.documentsSyncAttempts),
      moved: counter(d.documentsSyncEntries),
      bytes: counter(d.documentsSyncBytes),
    },
  }
}

function optionsOf({ name, help, labels }: MetricDefinition, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}
