import * as z from 'zod'
import { bytesToUuid, isCanonicalUuid, uuidToBytes } from './uuid.ts'

/** The type of a table's sync key column; the numbers are `sync_key_kind` in the server's catalog. */
export type SyncKeyKind = 'uuid' | 'text'
export const syncKeyCode = { uuid: 1, text: 2 } as const satisfies Readonly<Record<SyncKeyKind, number>>

/** One member: the lowercase key column with its text (§2.14.4). */
export const syncKeySchema = z.record(z.string(), z.string())
export type SyncKey = Readonly<z.infer<typeof syncKeySchema>>

const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether `value` may be the key of a row. A text key is used as it is; the zero character exists in no PostgreSQL text. */
export function isKeyText(kind: SyncKeyKind, value: string): boolean {
  return kind === 'uuid' ? isCanonicalUuid(value) : value.isWellFormed() && !value.includes('\0')
}

/** The bytes by which the server knows and orders rows; undefined if the value is no key of this kind. */
export function keyToBytes(kind: SyncKeyKind, value: string): Uint8Array | undefined {
  if (!isKeyText(kind, value)) return undefined
  return kind === 'uuid' ? uuidToBytes(value) : utf8.encode(value)
}

/** Undefined if the bytes are no key of this kind. */
export function bytesToKey(kind: SyncKeyKind, bytes: Uint8Array): string | undefined {
  if (kind === 'uuid') return bytesToUuid(bytes)
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** What tells rows of one push apart: the key's bytes, then the table id as four bytes, big-endian (example D). */
export function rowIdentity(keyBytes: Uint8Array, tableId: number): Uint8Array {
  const identity = new Uint8Array(keyBytes.length + 4)
  identity.set(keyBytes)
  new DataView(identity.buffer).setUint32(keyBytes.length, tableId)
  return identity
}
