import type { Key } from '../../../negentropy/index.ts'

/** A place in a walk: `[created_at, id]`, or the arrival number where the order is `seq`. */
export type Cursor = readonly [createdAt: number, id: string] | number

/** `asc`: by (created_at, id). `desc`: its exact reverse. `seq`: by arrival, which misses nothing that comes later. */
export type BulkOrder = 'asc' | 'desc' | 'seq'

export function isBulkOrder(value: unknown): value is BulkOrder {
  return value === 'asc' || value === 'desc' || value === 'seq'
}

export function isCursor(value: unknown, order: BulkOrder): value is Cursor {
  if (order === 'seq') return isWhole(value)
  if (!Array.isArray(value) || value.length !== 2) return false
  const [createdAt, id] = value as unknown[]
  return isWhole(createdAt) && typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)
}

/** As the store takes it. */
export function positionOf(cursor: Cursor): Key | number {
  return typeof cursor === 'number' ? cursor : { timestamp: cursor[0], id: cursor[1] }
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
