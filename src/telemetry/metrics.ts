import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { DocumentsMetrics, type DocumentsMetricsSnapshot } from './documents-metrics.ts'
import { GitMetrics, type GitMetricsSnapshot } from './git-metrics.ts'
import { type MetricDefinition, metricDefinitions } from './metric-definitions.ts'
import { MirrorMetrics, type MirrorMetricsSnapshot } from './mirror-metrics.ts'
import { RowsMetrics, type RowsMetricsSnapshot, type RowsStage } from './rows-metrics.ts'

/** What a node counted so far, read when somebody asks. */
export interface MetricsSnapshot {
  readonly version: string
  readonly storedEvents: number
  readonly store: { readonly commits: number; readonly committed: number; readonly waiting: number }
  readonly links: readonly {
    readonly peer: string
    readonly direction: string
    readonly strategy: string
    readonly connected: boolean
    readonly failing: boolean
    readonly lag_seconds: number | null
    readonly outbox: { readonly pending: number; readonly dead: number }
    /** By the events plane's names. */
    readonly counters: Readonly<Record<string, number>>
  }[]
  readonly mirrors: MirrorMetricsSnapshot
  /** Undefined where no git data is kept. */
  readonly git: GitMetricsSnapshot | undefined
  /** Undefined where no rows are served. */
  readonly rows: RowsMetricsSnapshot | undefined
  /** Undefined where there are no documents and none are served. */
  readonly documents: DocumentsMetricsSnapshot | undefined
}

/** The plane's counters that count events, by the label they get. */
const outcomes: Readonly<Record<string, string>> = {
  received: 'received',
  accepted: 'accepted',
  duplicate: 'duplicate',
  rejected: 'rejected',
  refusedBefore: 'refused_before',
  missing: 'missing',
  uploaded: 'uploaded',
  uploadDuplicate: 'upload_duplicate',
  uploadRefused: 'upload_refused',
  uploadPending: 'upload_pending',
}

const durationBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]

/**
 * The metrics of a node in the form of Prometheus. What the planes count is read at the time of a scrape: the path of an
 * event knows nothing of metrics.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #read: () => Promise<MetricsSnapshot>
  readonly #scraped: ReturnType<typeof scrapedMetrics>
  readonly #mirrors: MirrorMetrics
  readonly #git: GitMetrics
  readonly #adminRequests: Counter
  readonly #adminSeconds: Histogram
  readonly #rows: RowsMetrics
  readonly #documents: DocumentsMetrics
  #scraping: Promise<string> | undefined

  constructor(read: () => Promise<MetricsSnapshot>) {
    this.#read = read
    collectDefaultMetrics({ register: this.#registry })
    this.#scraped = scrapedMetrics(this.#registry)
    this.#mirrors = new MirrorMetrics(this.#registry)
    this.#git = new GitMetrics(this.#registry)
    this.#adminRequests = new Counter(optionsOf(metricDefinitions.adminRequests, this.#registry))
    this.#adminSeconds = new Histogram({
      ...optionsOf(metricDefinitions.adminSeconds, this.#registry),
      buckets: durationBuckets,
    })
    this.#rows = new RowsMetrics(this.#registry)
    this.#documents = new DocumentsMetrics(this.#registry)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The text of a scrape. Callers at the same time share one. */
  text(): Promise<string> {
    this.#scraping ??= this.#scrape().finally(() => {
      this.#scraping = undefined
    })
    return this.#scraping
  }

  adminRequest(operation: string, status: number, seconds: number): void {
    this.#adminRequests.inc({ operation, status })
    this.#adminSeconds.observe({ operation }, seconds)
  }

  rowsStage(stage: RowsStage): void {
    this.#rows.observe(stage)
  }

  async #scrape(): Promise<string> {
    const { version, storedEvents, store, links, mirrors, git, rows, documents } = await this.#read()
    this.#mirrors.set(mirrors)
    this.#git.set(git)
    this.#rows.set(rows)
    this.#documents.set(documents)
    const scraped = this.#scraped
    // A relay that was removed must not be reported for ever.
    for (const metric of Object.values(scraped)) metric.reset()
    scraped.info.set({ version }, 1)
    scraped.storedEvents.set(storedEvents)
    scraped.storeCommits.inc(store.commits)
    scraped.storeTransactions.inc(store.committed)
    scraped.storeWaiting.set(store.waiting)
    for (const { counters, outbox, connected, failing, lag_seconds, ...labels } of links) {
      for (const [name, outcome] of Object.entries(outcomes))
        scraped.linkEvents.inc({ ...labels, outcome }, counters[name] ?? 0)
      scraped.linkBytes.inc({ ...labels, way: 'sent' }, counters.bytesSent ?? 0)
      scraped.linkBytes.inc({ ...labels, way: 'received' }, counters.bytesReceived ?? 0)
      scraped.linkRounds.inc(labels, counters.rounds ?? 0)
      // Several links of a peer may have the same labels: one that fails is what an alert has to see.
      scraped.linkConnected.inc(labels, Number(connected))
      scraped.linkFailing.inc(labels, Number(failing))
      if (lag_seconds !== null) scraped.linkLag.set(labels, lag_seconds)
      scraped.linkPending.inc(labels, outbox.pending)
      scraped.linkDead.inc(labels, outbox.dead)
    }
    return this.#registry.metrics()
  }
}

function scrapedMetrics(registry: Registry) {
  const gauge = (definition: MetricDefinition) => new Gauge(optionsOf(definition, registry))
  const counter = (definition: MetricDefinition) => new Counter(optionsOf(definition, registry))
  const d = metricDefinitions
  return {
    info: gauge(d.info),
    storedEvents: gauge(d.storedEvents),
    linkEvents: counter(d.linkEvents),
    linkBytes: counter(d.linkBytes),
    linkRounds: counter(d.linkRounds),
    linkConnected: gauge(d.linkConnected),
    linkFailing: gauge(d.linkFailing),
    linkLag: gauge(d.linkLag),
    linkPending: gauge(d.linkPending),
    linkDead: gauge(d.linkDead),
    storeCommits: counter(d.storeCommits),
    storeTransactions: counter(d.storeTransactions),
    storeWaiting: gauge(d.storeWaiting),
  }
}

function optionsOf({ name, help, labels }: MetricDefinition, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}
