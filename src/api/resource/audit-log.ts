import { z } from 'zod'
import type { AuditLog } from '../../node/audit-log.ts'
import { type Route, route } from '../route.ts'
import { auditRecord } from '../schema/audit-record.ts'
import { limit } from '../schema/query.ts'

const query = z.strictObject({
  limit: limit(1_000, 100),
  before: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of a record')
    .transform(Number)
    .optional()
    .describe('The id of the last record seen: what is older follows.'),
})

export function auditRoutes(audit: Pick<AuditLog, 'list'>): Route[] {
  return [
    route({
      id: 'listAuditLog',
      method: 'get',
      path: '/audit_log',
      summary: 'Who changed what, newest first. The 10,000 newest records are kept.',
      tag: 'Audit log',
      scope: 'admin',
      query,
      answer: z.array(auditRecord),
      handle: async ({ query: { limit: most, before } }) =>
        (await audit.list(most, before)).map(({ at, params, ...record }) => ({
          ...record,
          at: new Date(at).toISOString(),
          params: params as Record<string, unknown>,
        })),
    }),
  ]
}
