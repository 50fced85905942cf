import * as z from 'zod'

/** Sequences, versions and counts: JSON numbers, whole and within ±2^53 (§2.1). */
export const countSchema = z.int().nonnegative()
export const positiveSchema = z.int().positive()
/** A member that go-oversync drops when it is zero. */
export const droppedCountSchema = countSchema.default(0)
/** SHA-256 in lowercase hex. */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hex digits')
