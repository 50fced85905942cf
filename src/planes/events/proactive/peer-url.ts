import { isIP } from 'node:net'
import { normalizeRelayUrl } from '../definition/relay-url.ts'

const maxLength = 512

/**
 * The one spelling of a relay that an event names (specs proactive §4.3), or undefined for what cannot be one: another
 * scheme, credentials, a fragment, no host, too long a text. Hosts that are no public name are left out here already: an
 * address of this machine or of a private network would be refused when dialled, and is no relay of anybody else's.
 *
 * @param privateHosts takes them all the same: for a network of one's own, and for tests
 */
export function peerUrl(text: string, privateHosts = false): string | undefined {
  if (text.length > maxLength) return undefined
  const bare = text.trim()
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(bare) ? bare : `wss://${bare}`
  let url: URL
  try {
    url = new URL(normalizeRelayUrl(withScheme))
  } catch {
    return undefined
  }
  const { hostname } = url
  if (privateHosts) return url.href
  if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0 || !hostname.includes('.')) return undefined
  if (/\.(onion|local|localhost|internal|invalid|test|example)\.?$/.test(hostname)) return undefined
  // `wss://h/x/` and `wss://h/x` may be two relays, `wss://h.` and `wss://h` are one.
  url.hostname = hostname.replace(/\.$/, '')
  return url.href
}

/** `http(s)://host[:port]/…` as the relay at the same place; undefined for other schemes. */
export function relayOfWebUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host } = new URL(text)
  if (protocol === 'https:') return `wss://${host}`
  return protocol === 'http:' ? `ws://${host}` : undefined
}

/** Host and port, as two URLs of one service share them whatever their scheme: 443 and 80 are what is left out. */
export function serviceOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { hostname, port, protocol } = new URL(text)
  const isDefault = port === '' || port === '443' || port === '80'
  if (hostname === '' || protocol === 'file:') return undefined
  const name = hostname.toLowerCase().replace(/\.$/, '')
  return isDefault ? name : `${name}:${port}`
}
