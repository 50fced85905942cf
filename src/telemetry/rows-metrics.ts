import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { metricDefinitions as d, type MetricDefinition } from './metric-definitions.ts'

/** The rows server of a node, as it is when somebody asks. */
export interface RowsMetricsSnapshot {
  readonly healthy: boolean
  readonly operationsInFlight: number
  /** Undefined while the database does not answer. */
  readonly history:
    | {
        readonly bundles: number
        readonly bundleBytes: number
        readonly pushReplays: number
        readonly prunedRequests: number
      }
    | undefined
}

/** One stage of an operation of the rows server, as it ended. */
export interface RowsStage {
  readonly operation: string
  readonly stage: string
  readonly durationMs: number
  readonly count: number
  readonly error: boolean
}

const durationBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]

/** Stages are counted as they end, everything else at a scrape. */
export class RowsMetrics {
  readonly #stageSeconds: Histogram
  readonly #stageItems: Counter
  readonly #stageFailures: Counter
  readonly #scraped: ReturnType<typeof scrapedMetrics>

  constructor(registry: Registry) {
    this.#stageSeconds = new Histogram({
      ...optionsOf(d.rowsStageSeconds, registry),
      buckets: durationBuckets,
    })
    this.#stageItems = new Counter(optionsOf(d.rowsStageItems, registry))
    this.#stageFailures = new Counter(optionsOf(d.rowsStageFailures, registry))
    this.#scraped = scrapedMetrics(registry)
  }

  observe({ operation, stage, durationMs, count, error }: RowsStage): void {
    const labels = { operation, stage }
    this.#stageSeconds.observe(labels, durationMs / 1_000)
    this.#stageItems.inc(labels, count)
    if (error) this.#stageFailures.inc(labels)
  }

  set(rows: RowsMetricsSnapshot | undefined): void {
    const { healthy, inFlight, bundles, bundleBytes, pushReplays, prunedRequests } = this.#scraped
    // What is not known must be absent: a 0 would raise alerts where no rows are served.
    for (const metric of Object.values(this.#scraped)) metric.remove()
    if (rows === undefined) return
    healthy.set(Number(rows.healthy))
    inFlight.set(rows.operationsInFlight)
    const { history } = rows
    if (history === undefined) return
    bundles.set(history.bundles)
    bundleBytes.set(history.bundleBytes)
    pushReplays.inc(history.pushReplays)
    prunedRequests.inc(history.prunedRequests)
  }
}

function scrapedMetrics(registry: Registry) {
  return {
    healthy: new Gauge(optionsOf(d.rowsHealthy, registry)),
    inFlight: new Gauge(optionsOf(d.rowsInFlight, registry)),
    bundles: new Gauge(optionsOf(d.rowsBundles, registry)),
    bundleBytes: new Gauge(optionsOf(d.rowsBundleBytes, registry)),
    pushReplays: new Counter(optionsOf(d.rowsPushReplays, registry)),
    prunedRequests: new Counter(optionsOf(d.rowsPrunedRequests, registry)),
  }
}

function optionsOf({ name, help, labels }: MetricDefinition, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}
