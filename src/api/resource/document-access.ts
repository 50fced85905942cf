import { z } from 'zod'
import type { DocumentsControl } from '../../node/documents/documents-control.ts'
import { notFound } from '../http-error.ts'
import { type Route, route } from '../route.ts'
import { accessRequest, databaseDetail } from '../schema/documents.ts'

const requestsQuery = z.strictObject({ status: z.enum(['pending', 'approved', 'rejected']).optional() })
const approveBody = z.strictObject({
  permission: z.string().optional().describe('Read, write or admin. Default: what was asked for.'),
})
const grantBody = z.strictObject({
  key: z.string().describe('A public key, or `everybody`.'),
  permission: z.string().describe('`read`, `write` or `admin`; a smaller number is stronger: `write:5`.'),
  name: z.string().min(1).max(128).optional(),
})
const revokeBody = grantBody.pick({ key: true })

/** Who may do what in databases of documents. */
export function documentAccessRoutes(documents: DocumentsControl): Route[] {
  return [...requests(documents), ...grants(documents)]
}

function requests(documents: DocumentsControl): Route[] {
  const path = '/documents/requests'
  const decision = { method: 'post', tag: 'Documents', scope: 'write', errors: [403, 404, 409] } as const
  const assertKnown = async (id: string) => {
    if (!(await documents.requests()).some((request) => request.id === id)) throw notFound()
  }
  return [
    route({
      id: 'listDocumentAccessRequests',
      method: 'get',
      path,
      summary: 'Who asks, or asked, to be let into databases of this node, oldest first.',
      tag: 'Documents',
      scope: 'read',
      query: requestsQuery,
      answer: z.array(accessRequest),
      handle: ({ query }) => documents.requests(query.status),
    }),
    route({
      ...decision,
      id: 'approveDocumentAccessRequest',
      path: `${path}/{id}/approve`,
      summary: 'Lets somebody in.',
      body: approveBody,
      answer: accessRequest,
      handle: async ({ params: { id = '' }, body }) => {
        await assertKnown(id)
        return documents.approve({ request: id, permission: body.permission })
      },
    }),
    route({
      ...decision,
      id: 'rejectDocumentAccessRequest',
      path: `${path}/{id}/reject`,
      summary: 'Refuses a request.',
      answer: accessRequest,
      handle: async ({ params: { id = '' } }) => {
        await assertKnown(id)
        return documents.reject(id)
      },
    }),
  ]
}

function grants(documents: DocumentsControl): Route[] {
  const common = { method: 'post', tag: 'Documents', scope: 'write', errors: [403, 404, 409] } as const
  return [
    route({
      ...common,
      id: 'grantDocumentAccess',
      path: '/documents/databases/{id}/grant',
      summary: 'Lets a key in without being asked.',
      body: grantBody,
      answer: databaseDetail,
      handle: ({ params: { id = '' }, body }) => documents.grant({ database: id, ...body }),
    }),
    route({
      ...common,
      id: 'revokeDocumentAccess',
      path: '/documents/databases/{id}/revoke',
      summary: 'Takes back what a key was granted. What it wrote stays.',
      body: revokeBody,
      answer: databaseDetail,
      handle: ({ params: { id = '' }, body }) => documents.revoke({ database: id, ...body }),
    }),
  ]
}
