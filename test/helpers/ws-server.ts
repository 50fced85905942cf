import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { FarEnd } from '../acceptance/transport-suite.ts'

/** A real WebSocket server on a free port of the loopback, with each connection's far end in the test's hands. */
export class WsServer implements AsyncDisposable {
  readonly url: string
  readonly #http: Server
  readonly #server: WebSocketServer
  readonly #arrived: WebSocket[] = []
  readonly requests: IncomingMessage[] = []
  #wake: () => void = () => {}

  private constructor(http: Server, server: WebSocketServer) {
    this.#http = http
    this.#server = server
    this.url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`
    server.on('connection', (socket, request) => {
      socket.on('error', () => {})
      this.requests.push(request)
      this.#arrived.push(socket)
      this.#wake()
    })
  }

  static async listen(): Promise<WsServer> {
    const http = createServer()
    const server = new WebSocketServer({ server: http, perMessageDeflate: true, closeTimeout: 500 } as object)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    return new WsServer(http, server)
  }

  /** The server's socket of the next connection. */
  async socket(): Promise<WebSocket> {
    for (;;) {
      const socket = this.#arrived.shift()
      if (socket !== undefined) return socket
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  async accept(): Promise<FarEnd> {
    return farEnd(await this.socket())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate()
    this.#server.close()
    this.#http.closeAllConnections()
    this.#http.close()
    await once(this.#http, 'close')
  }
}

function farEnd(socket: WebSocket): FarEnd {
  const messages: (string | Uint8Array)[] = []
  let closed = false
  let wake = () => {}
  socket.on('message', (data: Buffer, isBinary) => {
    messages.push(isBinary ? new Uint8Array(data) : data.toString('utf8'))
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  return {
    send: (message) => socket.send(message),
    pause: () => socket.pause(),
    async receive() {
      while (messages.length === 0 && !closed) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        socket.resume()
        await promise
      }
      return messages.shift()
    },
    close: () => socket.close(1000),
    break: () => socket.terminate(),
  }
}
