import { hash } from 'node:crypto'
import type { Filter } from '../filter.ts'

const registers = 256

/**
 * Where in a public key the register number stands, or undefined when the filter has no estimate: NIP-45 defines it for
 * filters by one tag. Derived from the tag's first value, so that relays agree and nobody can choose keys for all tags.
 */
export function hllOffset(filter: Filter): number | undefined {
  const tags = Object.keys(filter).filter((key): key is `#${string}` => key.startsWith('#'))
  const [name] = tags
  if (name === undefined || tags.length !== 1) return undefined
  const value = filter[name]?.[0]
  if (value === undefined) return undefined
  return 8 + Number.parseInt(hexOf(value).charAt(32), 16)
}

/** An id or key stands for itself, an address for its author, any other text for its hash. */
function hexOf(value: string): string {
  if (/^[0-9a-f]{64}$/.test(value)) return value
  const address = /^\d+:([0-9a-f]{64}):/.exec(value)
  return address?.[1] ?? hash('sha256', value)
}

/** Counts distinct authors in 256 bytes, mergeable over relays by taking the larger of each register (NIP-45). */
export class HyperLogLog {
  readonly #offset: number
  readonly #registers = new Uint8Array(registers)

  constructor(offset: number) {
    this.#offset = offset
  }

  /** @param pubkey 64 hex */
  add(pubkey: string): void {
    const bytes = Buffer.from(pubkey, 'hex')
    const register = bytes[this.#offset]!
    this.#registers[register] = Math.max(
      this.#registers[register]!,
      leadingZeroBits(bytes, this.#offset + 1) + 1,
    )
  }

  /** 512 hex. */
  toHex(): string {
    return Buffer.from(this.#registers).toString('hex')
  }
}

function leadingZeroBits(bytes: Uint8Array, from: number): number {
  let zeros = 0
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte !== 0) return zeros + Math.clz32(byte) - 24
    zeros += 8
  }
  return zeros
}
