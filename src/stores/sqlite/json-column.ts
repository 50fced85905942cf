import { SyncError } from '../../kernel/sync-error.ts'

/** `undefined` has no JSON and becomes NULL. */
export function toJson(value: unknown): string | null {
  return JSON.stringify(value) ?? null
}

/** Undefined where a column of the record cannot be read. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof SyncError && error.code === 'store/corrupt') return undefined
    throw error
  }
}

/** @throws SyncError `store/corrupt` */
export function fromJson(text: unknown): unknown {
  if (text === null || text === undefined) return undefined
  try {
    return JSON.parse(String(text))
  } catch (cause) {
    throw new SyncError('store/corrupt', 'a record of the store is not readable; restore a backup', { cause })
  }
}
