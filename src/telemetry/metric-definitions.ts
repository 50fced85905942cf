export interface MetricDefinition {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** In what the values count; seconds and bytes are base units, as Prometheus asks. */
  readonly unit:
    | 'events'
    | 'messages'
    | 'bytes'
    | 'seconds'
    | 'links'
    | 'transactions'
    | 'requests'
    | 'items'
    | 'operations'
    | 'bundles'
    | 'databases'
    | 'entries'
    | 'peers'
    | 'attempts'
    | 'boolean'
    | 'info'
  readonly help: string
  readonly labels: readonly string[]
}

const link = ['peer', 'direction', 'strategy'] as const

/** Every metric of a node: the one place where a name, a unit or a label is decided. */
export const metricDefinitions = {
  info: {
    name: 'syncline_info',
    kind: 'gauge',
    unit: 'info',
    help: 'Always 1; the version is in the label.',
    labels: ['version'],
  },
  storedEvents: {
    name: 'syncline_stored_events',
    kind: 'gauge',
    unit: 'events',
    help: 'Events in the store.',
    labels: [],
  },
  linkEvents: {
    name: 'syncline_link_events_total',
    kind: 'counter',
    unit: 'events',
    help: 'Events of a link by what became of them: received, accepted, duplicate, rejected, missing, uploaded, upload_duplicate, upload_refused, upload_pending, refused_before.',
    labels: [...link, 'outcome'],
  },
  linkBytes: {
    name: 'syncline_link_reconcile_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of reconciliation messages, by way: sent, received.',
    labels: [...link, 'way'],
  },
  linkRounds: {
    name: 'syncline_link_reconcile_rounds_total',
    kind: 'counter',
    unit: 'messages',
    help: 'Rounds of reconciliation.',
    labels: link,
  },
  linkConnected: {
    name: 'syncline_link_connected',
    kind: 'gauge',
    unit: 'boolean',
    help: '1 while the link has a connection.',
    labels: link,
  },
  linkFailing: {
    name: 'syncline_link_failing',
    kind: 'gauge',
    unit: 'boolean',
    help: '1 while something is wrong with the link.',
    labels: link,
  },
  linkLag: {
    name: 'syncline_link_lag_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Now minus the upper end of what is known to be complete.',
    labels: link,
  },
  linkPending: {
    name: 'syncline_link_outbox_pending',
    kind: 'gauge',
    unit: 'events',
    help: 'Events that wait to be offered to the peer again.',
    labels: link,
  },
  linkDead: {
    name: 'syncline_link_dead_letters',
    kind: 'gauge',
    unit: 'events',
    help: 'Events that the peer refused for good.',
    labels: link,
  },
  storeCommits: {
    name: 'syncline_store_commits_total',
    kind: 'counter',
    unit: 'transactions',
    help: 'Group commits since the process began.',
    labels: [],
  },
  storeTransactions: {
    name: 'syncline_store_transactions_total',
    kind: 'counter',
    unit: 'transactions',
    help: 'Transactions committed since the process began.',
    labels: [],
  },
  storeWaiting: {
    name: 'syncline_store_transactions_waiting',
    kind: 'gauge',
    unit: 'transactions',
    help: 'Transactions that wait for their turn.',
    labels: [],
  },
  adminRequests: {
    name: 'syncline_admin_requests_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Calls of the admin API, by operation and status.',
    labels: ['operation', 'status'],
  },
  adminSeconds: {
    name: 'syncline_admin_request_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long calls of the admin API took.',
    labels: ['operation'],
  },
  rowsStageSeconds: {
    name: 'syncline_rows_stage_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long stages of operations of the rows server took; the stage total is the whole operation.',
    labels: ['operation', 'stage'],
  },
  rowsStageItems: {
    name: 'syncline_rows_stage_items_total',
    kind: 'counter',
    unit: 'items',
    help: 'What stages of operations of the rows server dealt with: rows, bundles, or the operation itself.',
    labels: ['operation', 'stage'],
  },
  rowsStageFailures: {
    name: 'syncline_rows_stage_failures_total',
    kind: 'counter',
    unit: 'operations',
    help: 'Stages of operations of the rows server that failed; refusals, such as conflicts, count too.',
    labels: ['operation', 'stage'],
  },
  rowsHealthy: {
    name: 'syncline_rows_healthy',
    kind: 'gauge',
    unit: 'boolean',
    help: '1 while the rows server takes requests and its database answers and is in order. Absent where no rows are served, like the next five.',
    labels: [],
  },
  rowsInFlight: {
    name: 'syncline_rows_operations_in_flight',
    kind: 'gauge',
    unit: 'operations',
    help: 'Operations of the rows server under way.',
    labels: [],
  },
  rowsBundles: {
    name: 'syncline_rows_bundles',
    kind: 'gauge',
    unit: 'bundles',
    help: 'Bundles that are kept, of all users.',
    labels: [],
  },
  rowsBundleBytes: {
    name: 'syncline_rows_bundle_bytes',
    kind: 'gauge',
    unit: 'bytes',
    help: 'Bytes of the bundles that are kept; at times that of some minutes ago, as adding them up costs.',
    labels: [],
  },
  rowsPushReplays: {
    name: 'syncline_rows_push_replays_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Pushes that had been committed before, since the database was set up.',
    labels: [],
  },
  rowsPrunedRequests: {
    name: 'syncline_rows_pruned_requests_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Requests for history that is gone, since the database was set up.',
    labels: [],
  },
  documentsHealthy: {
    name: 'syncline_documents_healthy',
    kind: 'gauge',
    unit: 'boolean',
    help: '1 while documents can be read, written and synced. Absent where there are none and none are served, like the next seven.',
    labels: [],
  },
  documentsDatabases: {
    name: 'syncline_documents_databases',
    kind: 'gauge',
    unit: 'databases',
    help: 'Databases by state: private, shared with whom they grant something, or awaited, which were joined and are not here yet.',
    labels: ['state'],
  },
  documentsEntries: {
    name: 'syncline_documents_entries',
    kind: 'gauge',
    unit: 'entries',
    help: 'Entries by verification: verified ones are what is read and served; unverified ones wait for others; failed ones were found bad.',
    labels: ['verification'],
  },
  documentsPeers: {
    name: 'syncline_documents_peers',
    kind: 'gauge',
    unit: 'peers',
    help: 'Peers that are known and not blocked.',
    labels: [],
  },
  documentsLinks: {
    name: 'syncline_documents_links',
    kind: 'gauge',
    unit: 'links',
    help: 'Databases times peers they are kept in step with.',
    labels: [],
  },
  documentsLinksInStep: {
    name: 'syncline_documents_links_in_step',
    kind: 'gauge',
    unit: 'links',
    help: 'Of those links, the ones where the peer has all there is here.',
    labels: [],
  },
  documentsLinksFailing: {
    name: 'syncline_documents_links_failing',
    kind: 'gauge',
    unit: 'links',
    help: 'Of those links, the ones whose last attempt failed.',
    labels: [],
  },
  documentsAccessRequests: {
    name: 'syncline_documents_access_requests_pending',
    kind: 'gauge',
    unit: 'requests',
    help: 'Requests for access that wait for somebody to decide.',
    labels: [],
  },
  documentsSyncAttempts: {
    name: 'syncline_documents_sync_attempts_total',
    kind: 'counter',
    unit: 'attempts',
    help: 'Attempts of this node to bring a database in step with a peer, since it started. Absent where documents are not open, like the next three.',
    labels: ['outcome'],
  },
  documentsSyncEntries: {
    name: 'syncline_documents_sync_entries_total',
    kind: 'counter',
    unit: 'entries',
    help: 'Entries that attempts of this node moved, since it started.',
    labels: ['way'],
  },
  documentsSyncBytes: {
    name: 'syncline_documents_sync_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of messages, both ways, since the node started: of exchanges it began (dialled), and of those others began (answered).',
    labels: ['side'],
  },
  documentsRequestsAnswered: {
    name: 'syncline_documents_requests_answered_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Requests of peers that were answered, refusals too, since the node started.',
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>
