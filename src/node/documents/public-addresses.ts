import { networkInterfaces } from 'node:os'
import type { SyncAddress } from '../../planes/documents/index.ts'

/**
 * Where others can dial the public listener: the addresses it is said to have, else the one it is bound to, else, where that
 * is every network, the machine's own.
 *
 * @param url the listener's, `ws://127.0.0.1:7777`
 * @param publicUrls `wss://relay.example.com`; those with a path are of no use, as a peer is dialled by host and port
 */
export function publicAddresses(
  url: string,
  publicUrls: readonly string[],
  interfaces = networkInterfaces(),
): readonly SyncAddress[] {
  const said = publicUrls.flatMap((text): SyncAddress[] => {
    const { protocol, hostname, port, pathname, search } = new URL(text)
    if (pathname !== '/' || search !== '') return []
    const secure = protocol === 'wss:'
    return [{ type: secure ? 'https' : 'http', address: `${hostname}:${port || (secure ? 443 : 80)}` }]
  })
  if (said.length > 0) return said
  const { hostname, port } = new URL(url)
  const at = (host: string): SyncAddress => ({ type: 'http', address: `${host}:${port || 80}` })
  if (hostname !== '0.0.0.0' && hostname !== '[::]') return [at(hostname)]
  const own = Object.values(interfaces).flatMap((addresses) => addresses ?? [])
  const outside = own.filter(({ internal, family }) => !internal && family === 'IPv4')
  return (outside.length > 0 ? outside : own.filter(({ family }) => family === 'IPv4')).map(({ address }) =>
    at(address),
  )
}

/** Whether nobody on another machine can use an address. */
export function isLocal({ type, address }: SyncAddress): boolean {
  return /^https?$/.test(type) && /^(?:localhost|127\.[\d.]+|\[::1\]):\d+$/.test(address)
}
