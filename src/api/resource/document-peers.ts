import { z } from 'zod'
import type { DocumentsControl, DocumentsStatus } from '../../node/documents/documents-control.ts'
import { type Route, route } from '../route.ts'
import { documentPeer, documentsStatus, syncedLink } from '../schema/documents.ts'

export interface DocumentsSource extends DocumentsControl {
  status(): Promise<DocumentsStatus | undefined>
}

/** Nodes that documents are synced with, and how all of that is. */
export function documentPeerRoutes(documents: DocumentsSource): Route[] {
  return [
    route({
      id: 'getDocumentsStatus',
      method: 'get',
      path: '/documents',
      summary: 'The documents of the node in numbers; null where there are none and none are served.',
      tag: 'Documents',
      scope: 'read',
      answer: documentsStatus.nullable(),
      handle: async () => (await documents.status()) ?? null,
    }),
    route({
      id: 'syncDocuments',
      method: 'post',
      path: '/documents/sync',
      summary: 'Brings everything that is shared in step with its peers now; answers when that is done.',
      tag: 'Documents',
      scope: 'write',
      answer: z.array(syncedLink),
      errors: [404],
      handle: ({ signal }) => documents.sync({}, { signal }),
    }),
    route({
      id: 'listDocumentPeers',
      method: 'get',
      path: '/documents/peers',
      summary: 'Nodes that databases are shared with.',
      tag: 'Documents',
      scope: 'read',
      answer: z.array(documentPeer),
      handle: () => documents.peers(),
    }),
    route({
      id: 'blockDocumentPeer',
      method: 'delete',
      path: '/documents/peers/{key}',
      summary: 'Serves and dials a peer no more, whatever databases grant it.',
      tag: 'Documents',
      scope: 'write',
      errors: [404, 422],
      handle: ({ params: { key = '' } }) => documents.removePeer(key),
    }),
  ]
}
