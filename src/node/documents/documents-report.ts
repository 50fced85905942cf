import { formatAddress } from '../../planes/documents/index.ts'
import type { DatabaseViews } from './database-views.ts'
import type { DocumentsStatus, LinkView } from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'

/** How the documents are, in numbers. */
export async function documentsReport(
  documents: OpenDocuments,
  views: DatabaseViews,
): Promise<DocumentsStatus> {
  const { instance, sync, awaited } = documents
  const summaries = await views.summaries()
  const entries = { verified: 0, unverified: 0, failed: 0 }
  await instance.read((view) => {
    for (const { id, state } of summaries) {
      if (state === 'awaited') continue
      // What was counted a moment ago may have gone on since: one snapshot for all of them.
      const [database] = view.databases().filter((known) => known === id)
      if (database === undefined) continue
      entries.verified += view.count(database)
      entries.unverified += view.heldCount(database)
      entries.failed += view.heldCount(database, 'failed')
    }
  })
  const links = await views.links()
  const waiting = new Set<string>(awaited.values().map(({ database }) => database))
  // To be refused is what waiting for a decision looks like.
  const failing = links.filter(({ database, last_error }) => last_error !== null && !waiting.has(database))
  return {
    healthy: true,
    problem: null,
    device: instance.id,
    addresses: sync.addresses().map(formatAddress),
    databases: {
      total: summaries.length,
      shared: summaries.filter(({ shared, state }) => shared && state === 'here').length,
      awaited: summaries.filter(({ state }) => state === 'awaited').length,
    },
    entries,
    peers: sync.peers.peers().length,
    links: {
      total: links.length,
      in_step: links.filter(({ in_step }) => in_step).length,
      failing: failing.length,
    },
    pending_requests: sync.access.list('pending').length,
    last_failure: latestOf(failing),
    next_attempt_at: links.flatMap(({ next_attempt_at }) => next_attempt_at ?? []).sort()[0] ?? null,
  }
}

function latestOf(failing: readonly LinkView[]): DocumentsStatus['last_failure'] {
  const [latest] = failing.toSorted((a, b) =>
    (a.last_attempt_at ?? '') < (b.last_attempt_at ?? '') ? 1 : -1,
  )
  if (latest === undefined) return null
  const { database, peer, last_attempt_at: at, last_error: message } = latest
  return { database, peer, at: at!, message: message! }
}
