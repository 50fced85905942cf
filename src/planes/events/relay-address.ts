/**
 * Host, port and path of a relay URL in one spelling: case of the host, default ports and trailing slashes do not
 * count. Undefined when it is no WebSocket URL. The scheme is left out: behind a proxy that ends TLS, one relay has two.
 */
export function relayAddress(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'ws:' && url.protocol !== 'wss:')) return undefined
  return `${url.host}${url.pathname.replace(/\/+$/, '')}`
}
