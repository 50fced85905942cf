/**
 * The bytes under every signature that is not an entry's: fields, each after its length as u64 big-endian, the first
 * of them a domain string of its own. They begin with seven zero bytes; an entry's signing bytes begin with a CBOR map
 * header (`a2` … `a4`). So none of these can ever pass for an entry, nor for each other.
 *
 * @param domain ASCII, for example `syncline/documents/handshake/v1`
 */
export function transcript(domain: string, fields: readonly TranscriptField[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const field of [domain, ...fields]) {
    const bytes = bytesOf(field)
    parts.push(u64(BigInt(bytes.length)), bytes)
  }
  return Buffer.concat(parts)
}

/** Text as UTF-8, numbers as u64 big-endian, bytes as they are. */
export type TranscriptField = string | number | bigint | Uint8Array

function bytesOf(field: TranscriptField): Uint8Array {
  if (typeof field === 'string') return Buffer.from(field, 'utf8')
  return field instanceof Uint8Array ? field : u64(BigInt(field))
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
