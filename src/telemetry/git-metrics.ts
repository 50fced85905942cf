import { Counter, Gauge, type Registry } from 'prom-client'
import type { MetricDefinition } from './metric-definitions.ts'

/** What git data sync counted so far and has to do. */
export interface GitMetricsSnapshot {
  /** Servers asked, by what became of it: a closed set. */
  readonly fetches: Readonly<Record<string, number>>
  readonly bytes: number
  readonly objects: number
  readonly queued: number
  readonly running: number
  readonly throttled: number
  readonly naughty: number
  readonly failures: number
}

/** The names of ngit-grasp where they mean the same. */
export const gitMetricDefinitions = {
  operations: {
    name: 'ngit_git_operations_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Servers asked for git data (`operation` is `fetch`), by what became of it: complete, partial, nothing, too-big, timeout, dns, tls, address, failed, aborted.',
    labels: ['operation', 'status'],
  },
  bytes: {
    name: 'ngit_git_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of git data that were kept (`direction` is `in`).',
    labels: ['direction'],
  },
  objects: {
    name: 'syncline_git_objects_total',
    kind: 'counter',
    unit: 'info',
    help: 'Objects named by states and pull requests that were fetched.',
    labels: [],
  },
  repositories: {
    name: 'syncline_git_repositories',
    kind: 'gauge',
    unit: 'info',
    help: 'Repositories that are due or wait for their time (`queued`), are worked on (`running`), or wait for their turn at a host (`throttled`).',
    labels: ['state'],
  },
  naughty: {
    name: 'syncline_git_naughty_hosts',
    kind: 'gauge',
    unit: 'info',
    help: 'Hosts, and repositories found too big, that are left alone for twelve hours.',
    labels: [],
  },
  failures: {
    name: 'syncline_git_failures_total',
    kind: 'counter',
    unit: 'info',
    help: 'Looks at a repository that git on this machine, or its disk, put an end to.',
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>

/** Git data in the form of Prometheus. */
export class GitMetrics {
  readonly #metrics: { readonly [Name in keyof typeof gitMetricDefinitions]: Gauge | Counter }

  constructor(registry: Registry) {
    const made = Object.entries(gitMetricDefinitions).map(([key, { name, help, labels, kind }]) => {
      const options = { name, help, labelNames: [...labels], registers: [registry] }
      return [key, kind === 'counter' ? new Counter(options) : new Gauge(options)]
    })
    this.#metrics = Object.fromEntries(made)
  }

  /** Replaces everything by what is so now; undefined: no git data is kept. */
  set(git: GitMetricsSnapshot | undefined): void {
    const m = this.#metrics
    for (const metric of Object.values(m)) metric.reset()
    if (git === undefined) return
    for (const [status, count] of Object.entries(git.fetches))
      m.operations.inc({ operation: 'fetch', status }, count)
    m.bytes.inc({ direction: 'in' }, git.bytes)
    m.objects.inc(git.objects)
    for (const state of ['queued', 'running', 'throttled'] as const) m.repositories.inc({ state }, git[state])
    m.naughty.inc(git.naughty)
    m.failures.inc(git.failures)
  }
}
