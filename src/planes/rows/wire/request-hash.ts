import { canonicalJson } from './canonical-json.ts'
import { bytesToHex } from './hex.ts'
import type { JsonObject } from './json-value.ts'
import type { Operation } from './operation.ts'
import { portableSha256, type Sha256 } from './sha256.ts'
import type { SyncKey } from './sync-key.ts'

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
  readonly #hash: Sha256
  readonly #utf8 = new TextEncoder()
  #rows = 0

  constructor(sha256: () => Sha256 = portableSha256) {
    this.#hash = sha256()
  }

  add({ schema, table, key, op, base_row_version, payload }: PushedRow): void {
    const row: JsonObject = {
      base_row_version,
      key,
      op,
      ...(payload === undefined ? {} : { payload }),
      schema,
      table,
    }
    this.#hash.update(this.#utf8.encode(`${this.#rows === 0 ? '[' : ','}${canonicalJson(row)}`))
    this.#rows++
  }

  /** 64 lowercase hex digits. Ends the hasher. */
  finish(): string {
    this.#hash.update(this.#utf8.encode(this.#rows === 0 ? '[]' : ']'))
    return bytesToHex(this.#hash.digest())
  }
}
