import { bytesToHex, hexToBytes } from './hex.ts'

const canonical = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** 36 characters, dashed, lowercase: the only form of a uuid on the wire (§2.14.4). */
export function isCanonicalUuid(text: string): boolean {
  return canonical.test(text)
}

/** From 32 hex digits. */
export function hexToUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`.toLowerCase()
}

/** The 16 bytes in the order of the text; undefined if it is not canonical. */
export function uuidToBytes(text: string): Uint8Array | undefined {
  return isCanonicalUuid(text) ? hexToBytes(text.replaceAll('-', '')) : undefined
}

/** Undefined unless there are 16 bytes. */
export function bytesToUuid(bytes: Uint8Array): string | undefined {
  return bytes.length === 16 ? hexToUuid(bytesToHex(bytes)) : undefined
}
