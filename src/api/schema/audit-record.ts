import { z } from 'zod'
import { component, time } from './component.ts'

export const auditRecord = component(
  'AuditRecord',
  'Who asked for what, and what came of it.',
  z.strictObject({
    id: z.int(),
    at: time,
    actor: z.string().describe('`key rlk_abcd`, `nostr <pubkey>`, or `local` for the command line.'),
    method: z.string(),
    params: z.record(z.string(), z.unknown()).describe('Without secrets, and cut to a bound.'),
    result: z.string().describe('`ok`, or the code of the error.'),
  }),
)
