import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

/** What of a request tells where it came from. */
export type Addressed = Pick<IncomingMessage, 'headers'> & {
  readonly socket: Pick<IncomingMessage['socket'], 'remoteAddress'>
}

/**
 * Answers the address of the client of a request. Limits, blocks and logs go by it: without it everybody behind a proxy is
 * one client, and whoever is blocked blocks all of them.
 *
 * `X-Forwarded-For` is believed as far back as proxies that are ours have written it: from the right, up to the first address
 * that is none of theirs. What stands left of that, the client itself may have written.
 *
 * @param trustedProxies IP addresses, and networks with the length of their prefix
 */
export function clientAddressOf(trustedProxies: readonly string[]): (request: Addressed) => string {
  const networks = trustedProxies.map(networkOf)
  const isTrusted = (text: string) => {
    const address = ipaddr.process(text)
    return networks.some(
      ([network, bits]) => address.kind() === network.kind() && address.match(network, bits),
    )
  }
  return ({ headers, socket }) => {
    let client = socket.remoteAddress ?? 'unknown'
    const hops = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
    while (ipaddr.isValid(client) && isTrusted(client)) {
      const hop = bare(hops.pop() ?? '')
      if (!ipaddr.isValid(hop)) return client
      client = hop
    }
    return client
  }
}

function networkOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** Some proxies write the port as well. */
function bare(hop: string): string {
  const [, bracketed, plain] = /^(?:\[(.+)\](?::\d+)?|([\d.]+):\d+)$/.exec(hop.trim()) ?? []
  return bracketed ?? plain ?? hop.trim()
}
