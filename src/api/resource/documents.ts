import { z } from 'zod'
import type { DocumentsControl } from '../../node/documents/documents-control.ts'
import { type Route, route } from '../route.ts'
import {
  databaseDetail,
  databaseSummary,
  documentAttempt,
  documentJoin,
  documentTicket,
  syncedLink,
} from '../schema/documents.ts'
import { limit } from '../schema/query.ts'

const tag = 'Documents'
const base = '/documents/databases'
const newDatabase = z.strictObject({ name: z.string().min(1).max(200) })
const shareBody = z.strictObject({
  every_seconds: z.int().min(1).max(86_400).optional().describe('Default: as the configuration says.'),
})
const syncBody = z.strictObject({ peer: z.string().optional().describe('Only with this one.') })
const joinBody = z.strictObject({
  ticket: z.string(),
  permission: z.string().optional().describe('Asked for, where it is not granted yet: read, write or admin.'),
  name: z.string().min(1).max(128).optional().describe('How to be called there.'),
  message: z.string().max(4_096).optional().describe('For whoever decides.'),
})
const historyQuery = z.strictObject({ peer: z.string().optional(), limit: limit(1_000, 100) })

/** Databases of documents. `{id}` is the id, or the name where only one database has it. */
export function documentRoutes(documents: DocumentsControl): Route[] {
  return [...reading(documents), ...changing(documents)]
}

function reading(documents: DocumentsControl): Route[] {
  const common = { method: 'get', tag, scope: 'read' } as const
  return [
    route({
      ...common,
      id: 'listDocumentDatabases',
      path: base,
      summary: 'Every database that is here, or was joined.',
      answer: z.array(databaseSummary),
      handle: () => documents.list(),
    }),
    route({
      ...common,
      id: 'getDocumentDatabase',
      path: `${base}/{id}`,
      summary: 'One database: its stores, who may do what, how it is with its peers.',
      answer: databaseDetail,
      errors: [404],
      handle: ({ params: { id = '' } }) => documents.show(id),
    }),
    route({
      ...common,
      id: 'listDocumentSyncAttempts',
      path: `${base}/{id}/attempts`,
      summary: 'Attempts of this node to sync it, newest first.',
      query: historyQuery,
      answer: z.array(documentAttempt),
      errors: [404],
      handle: ({ params: { id = '' }, query }) => documents.history({ database: id, ...query }),
    }),
  ]
}

function changing(documents: DocumentsControl): Route[] {
  const common = { method: 'post', tag, scope: 'write' } as const
  return [
    route({
      ...common,
      id: 'createDocumentDatabase',
      path: base,
      summary: 'Makes a database that the node owns. It is not shared.',
      body: newDatabase,
      status: 201,
      answer: databaseDetail,
      handle: ({ body }) => documents.create(body),
    }),
    route({
      ...common,
      id: 'joinDocumentDatabase',
      path: '/documents/join',
      summary:
        'Brings the database of a ticket here and keeps it in step, asking for access where that is wanted.',
      body: joinBody,
      answer: documentJoin,
      errors: [409, 503],
      handle: ({ body, signal }) => documents.join(body, { signal }),
    }),
    route({
      ...common,
      id: 'shareDocumentDatabase',
      path: `${base}/{id}/share`,
      summary: 'Keeps it in step with peers, and lets those have it whom it grants something.',
      body: shareBody,
      answer: databaseDetail,
      errors: [404, 409],
      handle: ({ params: { id = '' }, body }) =>
        documents.share({ database: id, everySeconds: body.every_seconds }),
    }),
    route({
      ...common,
      id: 'unshareDocumentDatabase',
      path: `${base}/{id}/unshare`,
      summary: 'Keeps it to this node. What others have of it they keep.',
      errors: [404],
      handle: ({ params: { id = '' } }) => documents.unshare(id),
    }),
    route({
      ...common,
      id: 'issueDocumentTicket',
      path: `${base}/{id}/ticket`,
      summary: 'Shares it, and answers where others can have it.',
      answer: documentTicket,
      errors: [404, 409],
      handle: ({ params: { id = '' } }) => documents.ticket(id),
    }),
    route({
      ...common,
      id: 'syncDocumentDatabase',
      path: `${base}/{id}/sync`,
      summary: 'Brings it in step with its peers now; answers when that is done.',
      body: syncBody,
      answer: z.array(syncedLink),
      errors: [404],
      handle: ({ params: { id = '' }, body, signal }) =>
        documents.sync({ database: id, peer: body.peer }, { signal }),
    }),
  ]
}
