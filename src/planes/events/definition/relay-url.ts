import { SyncError } from '../../../kernel/sync-error.ts'

/**
 * The form in which two spellings of one relay are equal (specs §2.5): lower-case scheme and host, no default port, at
 * least `/` as path, the query kept.
 *
 * @throws SyncError `config/invalid` for anything but ws and wss, credentials, or a fragment
 */
export function normalizeRelayUrl(text: string): string {
  const refuse = (why: string) => new SyncError('config/invalid', `"${text}" is no relay URL: ${why}`)
  if (!URL.canParse(text)) throw refuse('write it like wss://relay.example.com')
  const url = new URL(text)
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw refuse('it must start with ws:// or wss://')
  if (url.username !== '' || url.password !== '') throw refuse('credentials do not belong in it')
  if (url.hash !== '') throw refuse('a fragment (#…) means nothing to a relay')
  return url.href
}
