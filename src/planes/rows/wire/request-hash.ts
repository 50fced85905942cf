import { canonicalJson, canonicalString } from './canonical-json.ts'
import { bytesToHex } from './hex.ts'
import type { JsonObject } from './json-value.ts'
import type { Operation } from './operation.ts'
import { portableSha256, type Sha256 } from './sha256.ts'
import type { SyncKey } from './sync-key.ts'
import { TextHasher } from './text-hasher.ts'

/** A row as it is pushed, in wire form. */
export interface PushedRow {
  readonly schema: string
  readonly table: string
  readonly key: SyncKey
  readonly op: Operation
  readonly base_row_version: number
  /** Missing for DELETE. */
  readonly payload?: JsonObject | undefined
}

/** `canonical_request_hash`: what a client pushed, in one value (§2.14.3). Rows in upload order. */
export class RequestHasher {
  readonly #text: TextHasher
  #rows = 0

  constructor(sha256: () => Sha256 = portableSha256) {
    this.#text = new TextHasher(sha256())
  }

  add(row: PushedRow): void {
    const { payload } = row
    this.addCanonical(row, canonicalJson(row.key), payload === undefined ? undefined : canonicalJson(payload))
  }

  /** As `add`, for a caller who has the canonical JSON of key and payload already. */
  addCanonical(row: Omit<PushedRow, 'key' | 'payload'>, key: string, payload: string | undefined): void {
    const { base_row_version, op, schema, table } = row
    this.#text.add(
      `${this.#rows === 0 ? '[' : ','}{"base_row_version":${canonicalJson(base_row_version)},"key":${key},"op":"${op}"${payload === undefined ? '' : `,"payload":${payload}`},"schema":${canonicalString(schema)},"table":${canonicalString(table)}}`,
    )
    this.#rows++
  }

  /** 64 lowercase hex digits. Ends the hasher. */
  finish(): string {
    this.#text.add(this.#rows === 0 ? '[]' : ']')
    return bytesToHex(this.#text.finish().sha256)
  }
}
