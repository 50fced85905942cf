import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { temporaryFolder } from './temporary-folder.ts'

export interface DocumentsStage extends AsyncDisposable {
  /** The other node. */
  readonly other: Node
  /** A body for each operation that needs one: `post /documents/join`. */
  readonly bodies: Readonly<Record<string, unknown>>
  /** What an operation on documents is about; undefined for others. */
  idFor(path: string): string | undefined
}

/**
 * Another node in this process, and what the two share: the database `shared` of the one, which the other reads, two
 * requests of the other to do more in it, and a database `theirs` of the other, which everybody may read.
 *
 * @param node listens, and serves documents
 */
export async function documentsStage(node: Node): Promise<DocumentsStage> {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const config = await loadConfig({ flags: { data: folder.join('other'), port: 0, documents: true } })
  const other = opening.use(await openNode(config, { log: silentLogger }))
  await other.listen()

  const shared = await node.documents.create({ name: 'shared' })
  const { ticket } = await node.documents.ticket('shared')
  const asking = { ticket, name: 'other' }
  const { request } = await other.documents.join({ ...asking, permission: 'read' })
  await node.documents.approve({ request: request! })
  await other.documents.join(asking)
  const wanted: string[] = []
  for (const permission of ['write', 'admin'])
    wanted.push((await other.documents.join({ ...asking, permission })).request!)
  await other.documents.create({ name: 'theirs' })
  await other.documents.grant({ database: 'theirs', key: 'everybody', permission: 'read' })
  const theirs = await other.documents.ticket('theirs')

  const [peer] = await node.documents.peers()
  const resources = opening.move()
  return {
    other,
    bodies: {
      'post /documents/databases': { name: 'new' },
      'post /documents/join': { ticket: theirs.ticket },
      'post /documents/databases/{id}/share': { every_seconds: 60 },
      'post /documents/databases/{id}/sync': {},
      'post /documents/requests/{id}/approve': {},
      'post /documents/databases/{id}/grant': { key: 'everybody', permission: 'read' },
      'post /documents/databases/{id}/revoke': { key: 'everybody' },
    },
    idFor: (path) => {
      if (path.startsWith('/documents/databases')) return shared.id
      if (path === '/documents/requests/{id}/approve') return wanted[0]
      if (path === '/documents/requests/{id}/reject') return wanted[1]
      return path.startsWith('/documents/peers') ? peer!.key : undefined
    },
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  }
}
