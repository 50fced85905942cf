import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'

/** A WebSocket server behind TLS that also serves a document, and counts what reaches it. */
export async function tlsRelay(options: ServerOptions, document = '{}') {
  const server = createServer(options, (_request, response) => response.end(document))
  const sockets: Socket[] = []
  const serverNames: (string | false)[] = []
  let requests = 0
  let bytes = 0
  const wss = new WebSocketServer({ server })
  wss.on('connection', (socket) => socket.on('error', () => {}))
  server.on('request', () => {
    requests += 1
  })
  server.on('upgrade', () => {
    requests += 1
  })
  // A handshake that is given up is the client's right; it must not end the test.
  server.on('tlsClientError', () => {})
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on('secureConnection', (socket: TLSSocket) => {
    serverNames.push((socket as TLSSocket & { servername: string | false }).servername)
    socket.on('error', () => {})
    // Plain text after decryption: the handshake itself is none of it.
    socket.on('data', (data: Buffer) => {
      bytes += data.length
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    server,
    serverNames,
    /** Requests and bytes of ours that reached it, once every connection so far has ended. */
    async received() {
      await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
      return { requests, bytes }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of wss.clients) socket.terminate()
      wss.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
