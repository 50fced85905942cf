import type { TlsSettings } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { readTlsFiles } from '../transports/tls.ts'

const texts = ['hostname', 'caCertFile', 'clientCertFile', 'clientKeyFile'] as const
const fields: readonly string[] = [...texts, 'pins', 'minVersion']

/**
 * The TLS settings of the relay at `url` after a change: what it names over what was there. Its input may come from
 * another process and is checked as such.
 *
 * @returns undefined for no change, null for none from now on
 * @throws SyncError `config/invalid` naming the setting, also for a file that cannot be used
 */
export async function tlsSettings(
  url: string,
  before: TlsSettings | undefined,
  change: TlsSettings | null | undefined,
): Promise<TlsSettings | null | undefined> {
  if (change === undefined || change === null) return change
  if (typeof change !== 'object' || Array.isArray(change)) throw refused('', 'must be an object')
  if (!url.startsWith('wss:')) throw refused('', `means nothing for ${url}; write the URL with wss://`)
  for (const field of Object.keys(change))
    if (!fields.includes(field)) throw refused(`.${field}`, `is not known; known are ${fields.join(', ')}`)
  const settings = { ...before, ...change }
  for (const field of texts) {
    const value: unknown = settings[field]
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw refused(`.${field}`, 'must be a text that is not empty')
  }
  const { minVersion }: { minVersion?: unknown } = settings
  if (minVersion !== undefined && minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3')
    throw refused('.minVersion', 'must be TLSv1.2 or TLSv1.3')
  const pins: unknown = settings.pins ?? []
  if (!Array.isArray(pins)) throw refused('.pins', 'must be a list')
  for (const [at, pin] of pins.entries()) {
    if (!isSha256(pin))
      throw refused(`.pins[${at}]`, 'must be the base64 of 32 bytes: the SHA-256 of a public key')
  }
  if (settings.clientCertFile !== undefined && settings.clientKeyFile === undefined)
    throw refused('.clientKeyFile', 'must be given with tls.clientCertFile')
  if (settings.clientCertFile === undefined && settings.clientKeyFile !== undefined)
    throw refused('.clientCertFile', 'must be given with tls.clientKeyFile')
  await readTlsFiles(settings)
  return settings
}

/** Only the canonical spelling: what decodes to other bytes than it seems to would pin something else. */
function isSha256(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const bytes = Buffer.from(value, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === value
}

function refused(field: string, message: string): SyncError {
  return new SyncError('config/invalid', `tls${field} ${message}`)
}
