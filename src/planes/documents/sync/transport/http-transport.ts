import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { DocumentError } from '../../document-error.ts'
import type { SyncAddress } from '../sync-address.ts'
import { maxMessageBytes } from '../wire/message-codec.ts'
import { createHttpHandler, readBounded, syncMediaType, syncPath } from './http-handler.ts'
import type { Listening, MessageHandler, SyncTransport, TransportBuilder } from './sync-transport.ts'

export interface HttpTransportOptions {
  /** Where to listen; port 0 takes a free one. Default: it only dials. */
  readonly bind?: { readonly host: string; readonly port: number }
  /** `host:port` others are told to dial, where that is not what it is bound to. */
  readonly publicAddress?: string
  /** Speaks `https`, both ways of telling: others listen behind a proxy that ends TLS. Default `http`. */
  readonly scheme?: 'http' | 'https'
}

/** Messages as bodies of `POST http://<host:port>/api/v0`. Addresses are `host:port`. */
export function httpTransport(options: HttpTransportOptions = {}): TransportBuilder {
  const type = options.scheme ?? 'http'
  return { type, build: () => ({ transport: new HttpTransport(type, options) }) }
}

class HttpTransport implements SyncTransport {
  readonly type: 'http' | 'https'
  readonly #options: HttpTransportOptions

  constructor(type: 'http' | 'https', options: HttpTransportOptions) {
    this.type = type
    this.#options = options
  }

  get listen(): SyncTransport['listen'] & {} {
    return (handler) => this.#listen(handler)
  }

  async send(address: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const url = `${this.type}://${address}${syncPath}`
    // Whoever puts a path or a user into an address must not be able to say where a message goes.
    if (!URL.canParse(url) || new URL(url).pathname !== syncPath || /[@/?#\\]/.test(address))
      throw new DocumentError('document/no-transport', `${JSON.stringify(address)} is no host:port`)
    try {
      const response = await fetch(url, {
        method: 'POST',
        body: message as Uint8Array<ArrayBuffer>,
        headers: { 'content-type': syncMediaType },
        redirect: 'error',
        signal,
      })
      if (!response.ok) {
        await response.body?.cancel()
        throw new Error(`it answered ${response.status}`)
      }
      const answer = await readBounded(response.body, maxMessageBytes)
      if (answer === undefined) throw new Error('its answer is too large')
      return answer
    } catch (cause) {
      signal.throwIfAborted()
      throw new DocumentError('document/unreachable', `${url} cannot be reached: ${reasonOf(cause)}`, {
        cause,
      })
    }
  }

  async #listen(handler: MessageHandler): Promise<Listening> {
    const { bind, publicAddress } = this.#options
    // A client is a transport too: it starts, and nobody can dial it.
    if (bind === undefined) return { addresses: [], async [Symbol.asyncDispose]() {} }
    const handle = createHttpHandler(handler)
    const answer = async (request: Request) =>
      (await handle(request)) ?? new Response('not found\n', { status: 404 })
    const server = createServer(getRequestListener(answer, { overrideGlobalObjects: false }))
    await started(server, bind)
    const { address, port, family } = server.address() as AddressInfo
    const bound = publicAddress ?? `${family === 'IPv6' ? `[${address}]` : address}:${port}`
    const addresses: readonly SyncAddress[] = [{ type: this.type, address: bound }]
    return { addresses, [Symbol.asyncDispose]: () => stopped(server) }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function started(server: Server, { host, port }: { readonly host: string; readonly port: number }) {
  return new Promise<void>((resolve, reject) => {
    const failed = (cause: Error) => {
      reject(
        new DocumentError('document/transport', `cannot listen at ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      )
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function stopped(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // Kept alive for further requests, they would hold the server open.
    server.closeAllConnections()
  })
}

/** fetch says only "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message
}
