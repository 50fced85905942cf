import { canonicalJson, canonicalString } from './canonical-json.ts'
import { bytesToHex } from './hex.ts'
import type { JsonObject } from './json-value.ts'
import type { Operation } from './operation.ts'
import { portableSha256, type Sha256 } from './sha256.ts'
import type { SyncKey } from './sync-key.ts'
import { TextHasher } from './text-hasher.ts'

/** A row of a bundle, as far as the hash covers it. */
export interface HashedRow {
  readonly schema: string
  readonly table: string
  readonly key: SyncKey
  readonly op: Operation
  readonly row_version: number
  /** Null, or missing as on the wire, for DELETE. */
  readonly payload?: JsonObject | null | undefined
}

/** The hash and size of a bundle's canonical rows (§2.14.2), fed row by row so that no bundle must fit into memory. */
export class BundleHasher {
  readonly #text: TextHasher
  #rows = 0

  constructor(sha256: () => Sha256 = portableSha256) {
    this.#text = new TextHasher(sha256())
  }

  /** The rows must come in bundle order: the position is part of what is hashed. */
  add(row: HashedRow): void {
    this.addCanonical(row, canonicalJson(row.key), row.payload == null ? 'null' : canonicalJson(row.payload))
  }

  /** As `add`, for a caller who has the canonical JSON of key and payload already. */
  addCanonical(row: Omit<HashedRow, 'key' | 'payload'>, key: string, payload: string): void {
    const { op, row_version, schema, table } = row
    this.#text.add(
      `${this.#rows === 0 ? '[' : ','}{"key":${key},"op":"${op}","payload":${payload},"row_ordinal":${this.#rows},"row_version":${row_version},"schema":${canonicalString(schema)},"table":${canonicalString(table)}}`,
    )
    this.#rows++
  }

  /** Ends the hasher: nothing can be added afterwards. */
  finish(): BundleDigest {
    this.#text.add(this.#rows === 0 ? '[]' : ']')
    const { sha256, byteCount } = this.#text.finish()
    return { rowCount: this.#rows, byteCount, sha256, hex: bytesToHex(sha256) }
  }
}

export interface BundleDigest {
  readonly rowCount: number
  /** Length of the canonical bytes. */
  readonly byteCount: number
  readonly sha256: Uint8Array
  /** `bundle_hash` on the wire: 64 lowercase digits. */
  readonly hex: string
}
