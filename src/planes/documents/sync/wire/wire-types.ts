import { z } from 'zod'
import { formatPermission, type Permission, parsePermission } from '../../auth/permission.ts'
import { digestOf, type EntryId, entryIdOfDigest } from '../../entry/entry-id.ts'

export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'no bytes')

export function bytesOf(length: number) {
  return bytes.refine((value) => value.length === length, `${length} bytes`)
}

/** On the wire the 32 bytes of its digest. */
export const entryId = z.codec(
  bytesOf(32),
  z.custom<EntryId>((value) => typeof value === 'string'),
  {
    decode: (digest) => entryIdOfDigest(digest),
    encode: (id) => digestOf(id),
  },
)

const anyPermission = z.custom<Permission>((value) => typeof value === 'object' && value !== null)

export const permission = z.codec(z.string().max(32), anyPermission, {
  decode: (text, context) => {
    try {
      return parsePermission(text)
    } catch {
      context.issues.push({ code: 'custom', message: 'no permission', input: text })
      return z.NEVER
    }
  },
  encode: formatPermission,
})

export const count = z.number().int().nonnegative()
