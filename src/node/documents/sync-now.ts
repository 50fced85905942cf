import {
  type DatabaseId,
  DocumentError,
  type PublicKey,
  parsePublicKey,
} from '../../planes/documents/index.ts'
import type { DatabaseDirectory } from './database-directory.ts'
import type { SyncedLink, SyncWish, Waiting } from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'

const concurrency = 8

/**
 * Brings databases in step with their peers now, each peer's one after the other. One that fails is told of and does not
 * keep the others from it.
 *
 * @throws DocumentError `document/unknown-peer` when there is nobody to sync with
 */
export async function syncNow(
  documents: OpenDocuments,
  directory: DatabaseDirectory,
  { database, peer }: SyncWish,
  { signal, onProgress }: Waiting,
): Promise<readonly SyncedLink[]> {
  const { sync } = documents
  const tree = database === undefined ? undefined : await directory.find(database)
  const only = peer === undefined ? undefined : parsePublicKey(peer)
  const wanted: { peer: PublicKey; tree: DatabaseId }[] = []
  for (const link of sync.peers.relationships()) {
    if ((tree !== undefined && link.tree !== tree) || (only !== undefined && link.peer !== only)) continue
    // Asked for by name it is synced, shared or not.
    if (tree !== undefined || (await sync.syncSettings(link.tree)).syncEnabled) wanted.push(link)
  }
  if (wanted.length === 0) throw nobody(database, peer)
  const results: SyncedLink[] = []
  const byPeer = [...Map.groupBy(wanted, (link) => link.peer).values()]
  const work = async () => {
    for (let links = byPeer.pop(); links !== undefined; links = byPeer.pop())
      for (const link of links) {
        signal?.throwIfAborted()
        onProgress?.({
          step: 'syncing',
          entries: await documents.instance.read((view) => view.count(link.tree)),
        })
        results.push(await syncLink(documents, directory, link, signal))
      }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return results
}

async function syncLink(
  { sync }: OpenDocuments,
  directory: DatabaseDirectory,
  { peer, tree }: { readonly peer: PublicKey; readonly tree: DatabaseId },
  signal: AbortSignal | undefined,
): Promise<SyncedLink> {
  const before = await sync.status(peer, tree)
  const report = async (
    outcome: SyncedLink['outcome'],
    error: SyncedLink['error'] = null,
  ): Promise<SyncedLink> => {
    const { received, sent } = await sync.status(peer, tree)
    const moved = { received: received - before.received, sent: sent - before.sent }
    return { database: tree, name: await directory.nameOf(tree), peer, outcome, ...moved, error }
  }
  if (sync.peers.addresses(peer).length === 0) return report('not-dialable')
  try {
    await sync.syncTree(peer, tree, signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof DocumentError)) throw error
    return report('failed', { code: error.code, message: error.message })
  }
  return report('in-step')
}

function nobody(database: string | undefined, peer: string | undefined): DocumentError {
  const what = database === undefined ? 'no shared database is' : `the database ${database} is not`
  const who = peer === undefined ? 'any peer' : `the peer ${peer}`
  const advice = 'give somebody a ticket ("syncline doc ticket"), or join by one ("syncline doc join")'
  return new DocumentError('document/unknown-peer', `${what} kept in step with ${who} yet: ${advice}`)
}
