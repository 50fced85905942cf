import { z } from 'zod'
import type { Database } from '../../database.ts'
import { type DatabaseId, parseId } from '../../entry/entry-id.ts'
import { type PublicKey, parsePublicKey } from '../../entry/key-pair.ts'
import { RecordTable } from './record-table.ts'

const decision = z.object({ by: z.string(), at: z.number() })

const requestSchema = z.object({
  tree: z.string().transform((text): DatabaseId => parseId(text)),
  /** Proven to be the requester's. */
  key: z.string().transform((text): PublicKey => parsePublicKey(text)),
  /** The device that asked. */
  device: z.string().transform((text): PublicKey => parsePublicKey(text)),
  name: z.string(),
  /** As text: `write:10`. */
  permission: z.string(),
  /** Base64 of what the requester wrote for whoever decides. */
  metadata: z.string().optional(),
  /** Milliseconds since 1970. */
  requestedAt: z.number(),
  status: z.enum(['pending', 'approved', 'rejected']),
  decision: decision.extend({ permission: z.string().optional() }).optional(),
})

/** Somebody asks to be let into a database. Kept for ever once it is decided: it says who let whom in. */
export type AccessRecord = z.infer<typeof requestSchema>

export type AccessRecords = RecordTable<AccessRecord>

export function openAccessRecords(database: Database): Promise<AccessRecords> {
  return RecordTable.open<AccessRecord>(database, 'requests', requestSchema)
}
