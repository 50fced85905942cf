import { DocumentError } from '../document-error.ts'
import { areSorted, type EntryId, isEntryId } from './entry-id.ts'

/** What an entry says of the rules it was written under. */
export interface EntryMetadata {
  /** The pin: store tips of `_settings` at the entry's parents, sorted. Empty on a root entry alone. */
  readonly settingsTips: readonly EntryId[]
}

/**
 * `{"settings_tips":[…],"entropy":…}` in this order of keys.
 *
 * @param entropy distinguishes two databases that are otherwise equal; on root entries only
 */
export function encodeMetadata({ settingsTips }: EntryMetadata, entropy?: bigint): Uint8Array {
  const tips = settingsTips.map((tip) => JSON.stringify(tip)).join(',')
  return Buffer.from(`{"settings_tips":[${tips}],"entropy":${entropy ?? 'null'}}`)
}

/**
 * Reads the pin. The entropy is not read: it may exceed what a number holds, and nobody needs it.
 *
 * @throws DocumentError `document/bad-metadata`
 */
export function parseMetadata(bytes: Uint8Array | undefined): EntryMetadata {
  if (bytes === undefined) throw bad('there is none')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch {
    throw bad('it is not JSON')
  }
  const tips = (value as { settings_tips?: unknown } | null)?.settings_tips
  if (!Array.isArray(tips)) throw bad('settings_tips is no list')
  for (const tip of tips)
    if (typeof tip !== 'string' || !isEntryId(tip)) throw bad('a settings tip is no entry id')
  if (!areSorted(tips)) throw bad('the settings tips are not sorted, or one is there twice')
  return { settingsTips: tips }
}

function bad(why: string): DocumentError {
  return new DocumentError('document/bad-metadata', `the metadata of the entry is refused: ${why}`)
}
