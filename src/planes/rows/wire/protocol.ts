/** `protocol_version` and `version` on the wire; 0.2.0 and 0.2.1 of go-oversync say the same (appendix A). */
export const protocolVersion = 'v1'

/** Which client database, or server-side writer, a request comes from (§2.2). */
export const sourceIdHeader = 'Oversync-Source-ID'

/** Where each operation lives below the host's base address (§2.4). */
export const paths = {
  connect: '/sync/connect',
  pushSessions: '/sync/push-sessions',
  pushSession: (pushId: string) => `/sync/push-sessions/${encodeURIComponent(pushId)}`,
  pushChunks: (pushId: string) => `/sync/push-sessions/${encodeURIComponent(pushId)}/chunks`,
  pushCommit: (pushId: string) => `/sync/push-sessions/${encodeURIComponent(pushId)}/commit`,
  committedRows: (bundleSeq: number) => `/sync/committed-bundles/${bundleSeq}/rows`,
  pull: '/sync/pull',
  snapshotSessions: '/sync/snapshot-sessions',
  snapshotSession: (snapshotId: string) => `/sync/snapshot-sessions/${encodeURIComponent(snapshotId)}`,
  capabilities: '/sync/capabilities',
  watch: '/sync/watch',
  health: '/syncx/health',
  status: '/syncx/status',
} as const
