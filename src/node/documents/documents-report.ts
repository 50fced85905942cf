import { formatAddress } from '../../planes/documents/index.ts'
import type { DocumentsStatus, LinkView } from './documents-control.ts'
import type { DocumentsDesk } from './documents-desk.ts'
import type { OpenDocuments } from './open-documents.ts'

/** How the documents are, in numbers. */
export async function documentsReport(
  documents: OpenDocuments,
  { views, directory }: Pick<DocumentsDesk, 'views' | 'directory'>,
): Promise<DocumentsStatus> {
  const { instance, sync, awaited } = documents
  const here = await directory.here()
  const entries = await instance.read((view) => ({
    verified: sumOf(here, (id) => view.count(id)),
    unverified: sumOf(here, (id) => view.heldCount(id)),
    failed: sumOf(here, (id) => view.heldCount(id, 'failed')),
  }))
  let shared = 0
  for (const id of here) shared += (await sync.syncSettings(id)).syncEnabled ? 1 : 0
  const elsewhere = awaited.values().filter(({ database }) => !here.includes(database))
  const links = await views.links()
  const waiting = new Set<string>(awaited.values().map(({ database }) => database))
  // To be refused is what waiting for a decision looks like.
  const failing = links.filter(({ database, last_error, last_error_code: code }) => {
    return last_error !== null && !(waiting.has(database) && code === 'document/peer-denied')
  })
  return {
    healthy: true,
    problem: null,
    device: instance.id,
    addresses: sync.addresses().map(formatAddress),
    databases: { total: here.length + elsewhere.length, shared, awaited: elsewhere.length },
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

function sumOf<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((sum, one) => sum + of(one), 0)
}

function latestOf(failing: readonly LinkView[]): DocumentsStatus['last_failure'] {
  const [latest] = failing.toSorted((a, b) =>
    (a.last_attempt_at ?? '') < (b.last_attempt_at ?? '') ? 1 : -1,
  )
  if (latest === undefined) return null
  const { database, peer, last_attempt_at: at, last_error: message } = latest
  return { database, peer, at: at!, message: message! }
}
