import { hash } from 'node:crypto'

const hex64 = /^[0-9a-f]{64}$/

/** 32 bytes of a 64-hex id or public key. */
export function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/**
 * The indexed form of a tag: its letter and its first value, exact and never longer than 33 bytes, however long the
 * value is.
 *
 * - 64 hex: letter with the high bit set, 32 bytes
 * - shorter than 32 bytes of UTF-8: letter, the bytes
 * - anything else: letter, SHA-256 of the bytes
 *
 * The three forms cannot meet: the first is alone in having the high bit, the second is never 33 bytes long.
 */
export function tagKey(letter: string, value: string): Uint8Array {
  const name = letter.charCodeAt(0)
  if (hex64.test(value)) {
    const key = Buffer.allocUnsafe(33)
    key[0] = name | 0x80
    key.write(value, 1, 'hex')
    return key
  }
  const text = Buffer.from(value, 'utf8')
  return Buffer.concat([Buffer.of(name), text.length < 32 ? text : hash('sha256', text, 'buffer')])
}

/** Distinct keys of the tags that filters can ask for: single-letter names with a value (NIP-01). */
export function tagKeys(tags: readonly (readonly string[])[]): Uint8Array[] {
  const seen = new Set<string>()
  const keys: Uint8Array[] = []
  for (const [name, value] of tags) {
    if (name === undefined || value === undefined || !/^[a-zA-Z]$/.test(name)) continue
    if (seen.has(name + value)) continue
    seen.add(name + value)
    keys.push(tagKey(name, value))
  }
  return keys
}
