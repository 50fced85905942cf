import type { NostrEvent } from './event.ts'

/**
 * What becomes of an event by its kind (NIP-01).
 *
 * - `regular`      every event is kept; also all kinds that no NIP gives a class
 * - `replaceable`  one per author and kind
 * - `ephemeral`    passed on, never kept
 * - `addressable`  one per author, kind and `d` tag
 */
export type KindClass = 'regular' | 'replaceable' | 'ephemeral' | 'addressable'

export function kindClass(kind: number): KindClass {
  if (isReplaceable(kind)) return 'replaceable'
  if (isEphemeral(kind)) return 'ephemeral'
  return isAddressable(kind) ? 'addressable' : 'regular'
}

export function isReplaceable(kind: number): boolean {
  return kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)
}

export function isEphemeral(kind: number): boolean {
  return kind >= 20_000 && kind < 30_000
}

export function isAddressable(kind: number): boolean {
  return kind >= 30_000 && kind < 40_000
}

/** Only its author may publish it (NIP-70). */
export function isProtected({ tags }: Pick<NostrEvent, 'tags'>): boolean {
  return tags.some(([name]) => name === '-')
}
