import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { metricDefinitions } from './metric-definitions.ts'
import { Metrics, type MetricsSnapshot } from './metrics.ts'

const link = (peer: string, counters: Record<string, number> = {}): MetricsSnapshot['links'][number] => ({
  peer,
  direction: 'down',
  strategy: 'negentropy',
  connected: true,
  failing: false,
  lag_seconds: 12,
  outbox: { pending: 1, dead: 2 },
  counters,
})

function world(links: MetricsSnapshot['links'] = []) {
  const snapshot = {
    version: '1.2.3',
    storedEvents: 5,
    store: { commits: 3, committed: 9, waiting: 0 },
    links,
    mirrors: { relays: [], profiles: [], held: undefined },
    git: undefined,
    rows: undefined,
    documents: undefined,
  }
  const state: { snapshot: MetricsSnapshot; reads: number } = { snapshot, reads: 0 }
  const metrics = new Metrics(async () => {
    state.reads++
    return state.snapshot
  })
  return { state, metrics }
}

describe('metrics', () => {
  it('names follow the rules of Prometheus: base units, and _total for counters', () => {
    for (const { name, kind, unit } of Object.values(metricDefinitions)) {
      assert.match(name, /^syncline_[a-z_]+$/)
      assert.equal(name.endsWith('_total'), kind === 'counter', name)
      if (unit === 'seconds' || unit === 'bytes') assert.match(name, new RegExp(`_${unit}(_total)?$`))
    }
  })

  it('a scrape tells what the node counted, not what it counted at the last one', async () => {
    const { state, metrics } = world([link('a', { accepted: 7, bytesSent: 100, rounds: 2 })])
    const labels = 'peer="a",direction="down",strategy="negentropy"'
    for (let i = 0; i < 2; i++) {
      const text = await metrics.text()
      assert.match(text, /^syncline_info\{version="1\.2\.3"\} 1$/m)
      assert.match(text, /^syncline_stored_events 5$/m)
      assert.match(text, /^syncline_store_transactions_total 9$/m)
      assert.ok(text.includes(`syncline_link_events_total{${labels},outcome="accepted"} 7`))
      assert.ok(text.includes(`syncline_link_reconcile_bytes_total{${labels},way="sent"} 100`))
      assert.ok(text.includes(`syncline_link_lag_seconds{${labels}} 12`))
      assert.ok(text.includes(`syncline_link_dead_letters{${labels}} 2`))
      assert.match(text, /^process_resident_memory_bytes \d/m)
    }
    state.snapshot = { ...state.snapshot, links: [] }
    assert.ok(!(await metrics.text()).includes('peer="a"'), 'a removed relay is gone')
  })

  it('of rows tell how they are, and nothing that is not known', async () => {
    const { state, metrics } = world()
    assert.doesNotMatch(await metrics.text(), /^syncline_rows_(healthy|bundles|push_replays_total) /m)
    const history = { bundles: 4, bundleBytes: 900, pushReplays: 2, prunedRequests: 1 }
    state.snapshot = { ...state.snapshot, rows: { healthy: true, operationsInFlight: 3, history } }
    metrics.rowsStage({ operation: 'pull', stage: 'total', durationMs: 30, count: 4, error: false })
    metrics.rowsStage({ operation: 'pull', stage: 'total', durationMs: 30, count: 0, error: true })
    for (let i = 0; i < 2; i++) {
      const text = await metrics.text()
      assert.match(text, /^syncline_rows_healthy 1$/m)
      assert.match(text, /^syncline_rows_operations_in_flight 3$/m)
      assert.match(text, /^syncline_rows_push_replays_total 2$/m)
      assert.match(text, /^syncline_rows_stage_items_total\{operation="pull",stage="total"\} 4$/m)
      assert.match(text, /^syncline_rows_stage_failures_total\{operation="pull",stage="total"\} 1$/m)
      assert.match(text, /_duration_seconds_sum\{operation="pull",stage="total"\} 0\.06$/m)
    }
    state.snapshot = {
      ...state.snapshot,
      rows: { healthy: false, operationsInFlight: 0, history: undefined },
    }
    const text = await metrics.text()
    assert.match(text, /^syncline_rows_healthy 0$/m)
    assert.doesNotMatch(text, /^syncline_rows_bundles /m)
  })

  it('of documents tell how they are, and nothing where there are none', async () => {
    const { state, metrics } = world()
    const named = /^syncline_documents_/m
    assert.doesNotMatch(await metrics.text(), named)
    const status = {
      healthy: true,
      databases: { total: 6, shared: 2, awaited: 1 },
      entries: { verified: 90, unverified: 4, failed: 1 },
      peers: 3,
      links: { total: 5, in_step: 4, failing: 1 },
      pending_requests: 2,
    }
    const totals = {
      attempts: { succeeded: 8, failed: 2 },
      entries: { received: 30, sent: 20 },
      bytes: { dialled: 4_000, answered: 600 },
      answers: 12,
    }
    state.snapshot = { ...state.snapshot, documents: { status, totals } }
    for (let i = 0; i < 2; i++) {
      const text = await metrics.text()
      assert.match(text, /^syncline_documents_healthy 1$/m)
      assert.match(text, /^syncline_documents_databases\{state="private"\} 3$/m)
      assert.match(text, /^syncline_documents_entries\{verification="unverified"\} 4$/m)
      assert.match(text, /^syncline_documents_links_in_step 4$/m)
      assert.match(text, /^syncline_documents_access_requests_pending 2$/m)
      assert.match(text, /^syncline_documents_sync_attempts_total\{outcome="failed"\} 2$/m)
      assert.match(text, /^syncline_documents_sync_bytes_total\{side="answered"\} 600$/m)
      assert.match(text, /^syncline_documents_requests_answered_total 12$/m)
    }
    state.snapshot = {
      ...state.snapshot,
      documents: { status: { ...status, healthy: false }, totals: undefined },
    }
    const broken = await metrics.text()
    assert.match(broken, /^syncline_documents_healthy 0$/m)
    assert.doesNotMatch(broken, /^syncline_documents_(entries|peers|sync_attempts_total)/m)
    state.snapshot = { ...state.snapshot, documents: undefined }
    assert.doesNotMatch(await metrics.text(), named)
  })

  it('every metric has its description and its type', async () => {
    const { metrics } = world([link('a')])
    metrics.adminRequest('listRelays', 200, 0.003)
    const text = await metrics.text()
    for (const { name, kind, help } of Object.values(metricDefinitions)) {
      assert.ok(text.includes(`# HELP ${name} ${help}\n`), name)
      assert.ok(text.includes(`# TYPE ${name} ${kind}\n`), name)
    }
    assert.ok(text.includes('syncline_admin_requests_total{operation="listRelays",status="200"} 1'))
  })

  it('scrapes at the same time share one reading', async () => {
    const { state, metrics } = world()
    await Promise.all([metrics.text(), metrics.text(), metrics.text()])
    assert.equal(state.reads, 1)
  })
})
