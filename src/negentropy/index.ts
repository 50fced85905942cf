/**
 * Negentropy protocol version 1: finds out what two sets of (timestamp, id) differ in, at a cost that depends on the
 * difference. Synchronous, without I/O, and without anything of Node.
 */
export type { Bound } from './bound.ts'
export { fingerprintOf } from './fingerprint.ts'
export { FingerprintIndex, type FingerprintIndexOptions } from './fingerprint-index.ts'
export { decodeHex, encodeHex } from './id.ts'
export type { IdSum } from './id-sum.ts'
export type { IndexSnapshot, LeafVerdict } from './index-snapshot.ts'
export { Initiator, type InitiatorOptions } from './initiator.ts'
export type { ItemColumns } from './item-columns.ts'
export { ItemVector, ItemVectorBuilder } from './item-vector.ts'
export type { Key } from './key.ts'
export { LeafBuilder } from './leaf-builder.ts'
export type { ItemChange, LeafChange, LeafRecord, LoadItems } from './leaf-record.ts'
export { NegentropyError, type NegentropyErrorCode } from './negentropy-error.ts'
export type { OrderedSet } from './ordered-set.ts'
export type { ReconcileStep } from './reconcile-step.ts'
export { Responder } from './responder.ts'
export { minFrameLimit, type SessionOptions } from './session-options.ts'
export { TimeRange } from './time-range.ts'
export { adaptiveTuning, type Role, referenceTuning, type Tuning } from './tuning.ts'
