import { z } from 'zod'

/** Where a peer can be reached: `{ type: 'http', address: '192.0.2.1:7777' }`. The type is the transport's, never its name. */
export const syncAddressSchema = z.object({
  type: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  address: z.string().min(1).max(1_024),
})

export type SyncAddress = z.infer<typeof syncAddressSchema>

/** `http:192.0.2.1:7777`: how tickets and logs write it. */
export function formatAddress({ type, address }: SyncAddress): string {
  return `${type}:${address}`
}

/** Undefined when it is none. */
export function parseAddress(text: string): SyncAddress | undefined {
  const colon = text.indexOf(':')
  const parsed = syncAddressSchema.safeParse({ type: text.slice(0, colon), address: text.slice(colon + 1) })
  return colon > 0 && parsed.success ? parsed.data : undefined
}

export function sameAddress(a: SyncAddress, b: SyncAddress): boolean {
  return a.type === b.type && a.address === b.address
}
