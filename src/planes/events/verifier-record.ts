import type { NostrEvent } from './event.ts'

/** Bytes of one record: id, public key, signature. */
export const recordBytes = 128

/** Writes an event's record; false when a field is not hex of its length, and so no signature of anything. */
export function writeRecord(
  target: Buffer,
  offset: number,
  { id, pubkey, sig }: Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>,
): boolean {
  return (
    writeHex(target, offset, id, 32) &&
    writeHex(target, offset + 32, pubkey, 32) &&
    writeHex(target, offset + 64, sig, 64)
  )
}

/** The three parts of a record, as views on it. */
export function readRecord(
  records: Uint8Array,
  offset: number,
): [id: Uint8Array, pubkey: Uint8Array, sig: Uint8Array] {
  const at = (from: number, to: number) => records.subarray(offset + from, offset + to)
  return [at(0, 32), at(32, 64), at(64, recordBytes)]
}

function writeHex(target: Buffer, offset: number, hex: string, bytes: number): boolean {
  // Buffer stops at the first character that is not hex.
  return hex.length === 2 * bytes && target.write(hex, offset, bytes, 'hex') === bytes
}
