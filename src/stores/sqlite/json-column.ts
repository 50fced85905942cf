import { SyncError } from '../../kernel/sync-error.ts'

/** `undefined` has no JSON and becomes NULL. */
export function toJson(value: unknown): string | null {
  return JSON.stringify(value) ?? null
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
