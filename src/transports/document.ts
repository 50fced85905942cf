import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Address } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { guardedLookup } from './public-address.ts'
import { tlsConnection } from './tls.ts'
import { tlsError } from './tls-error.ts'

export interface DocumentOptions {
  /** The media type asked for. */
  readonly accept: string
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/**
 * Reads the document a peer serves over HTTP at its WebSocket address, with the checks of that address's TLS settings.
 * Redirects are not followed: they would lead to a host nobody checked.
 *
 * @throws SyncError `peer/rejected` when the peer fails a TLS check or has no document, `config/invalid` for its settings
 */
export async function readDocument(address: Address, options: DocumentOptions): Promise<string> {
  const { accept, maxBytes, signal } = options
  const url = new URL(address.value.replace(/^ws/, 'http'))
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const handshake = new AbortController()
  const request = httpRequest(
    {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      path: url.pathname + url.search,
      headers: { host: url.host, accept },
      ...guardedLookup(url.hostname, address.publicOnly),
      signal,
      // A request with an agent would ask that for its connection.
      ...(url.protocol === 'https:'
        ? { createConnection: tlsConnection(url, address, handshake.signal) }
        : { agent: false }),
    },
    resolve,
  )
  request.on('error', (error) => reject(tlsError(url.href, error) ?? error))
  request.end()
  try {
    const response = await promise
    const { statusCode = 0 } = response
    if (statusCode < 200 || statusCode > 299)
      throw new SyncError('peer/rejected', `${url.href} answered HTTP ${statusCode} instead of a document`)
    return await boundedText(response, maxBytes)
  } finally {
    handshake.abort()
    request.destroy()
  }
}

async function boundedText(response: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new SyncError('peer/protocol', `a document is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}
