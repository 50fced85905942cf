import type { JsonObject } from '../wire/json-value.ts'
import type { Operation } from '../wire/operation.ts'

/**
 * One row that the server changed since this device last saw it (§8.9). Payloads are in wire form on both sides: UUIDs
 * dashed, bytes in base64, JSON columns nested, numbers that a double cannot hold as `ExactNumber`.
 */
export interface Conflict {
  readonly schema: string
  readonly table: string
  /** The text of the sync key. */
  readonly key: string
  readonly localOp: Operation
  /** Null for DELETE. */
  readonly localPayload: JsonObject | null
  /** The version the edit was made on; 0: the row was new. */
  readonly baseRowVersion: number
  /** 0: the server never had the row. */
  readonly serverRowVersion: number
  readonly serverRowDeleted: boolean
  /** Null if the server has no such row. */
  readonly serverRowPayload: JsonObject | null
}

export type Resolution =
  | { readonly kind: 'accept-server' }
  | { readonly kind: 'keep-local' }
  /** With all columns of the table, in wire form. */
  | { readonly kind: 'keep-merged'; readonly payload: JsonObject }

/** Decides what becomes of an edit that met a newer row. May ask a person; throwing counts as no decision. */
export type ConflictResolver = (conflict: Conflict) => Resolution | Promise<Resolution>

/** The default: the edit is given up. */
export const serverWins: ConflictResolver = () => ({ kind: 'accept-server' })

/**
 * The edit is sent again on top of the server's row. Where there is nothing left to keep it on (an update of a row that was
 * deleted meanwhile) the deletion stands.
 */
export const clientWins: ConflictResolver = ({ localOp, serverRowPayload }) =>
  localOp === 'UPDATE' && serverRowPayload === null ? { kind: 'accept-server' } : { kind: 'keep-local' }
