import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TlsTap extends AsyncDisposable {
  readonly port: number
  readonly connections: number
  /** Application bytes that clients sent so far, as they lie on the wire. */
  readonly applicationBytes: number
  /** Resolves when every connection so far has ended. */
  closed(): Promise<void>
}

const applicationData = 23
const headerBytes = 5

/** A line to a TLS server of TLS 1.2, where the type of every record is in the clear: what is no handshake shows. */
export async function tlsTap(target: number): Promise<TlsTap> {
  const sent: Buffer[][] = []
  const sockets: Socket[] = []
  const server = createServer((client) => {
    const chunks: Buffer[] = []
    sent.push(chunks)
    const upstream = connect(target, '127.0.0.1')
    sockets.push(client, upstream)
    client.on('data', (chunk: Buffer) => chunks.push(chunk))
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.on('close', () => upstream.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sent.length
    },
    get applicationBytes() {
      return sent.reduce((sum, chunks) => sum + applicationBytesOf(Buffer.concat(chunks)), 0)
    },
    async closed() {
      await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function applicationBytesOf(stream: Buffer): number {
  let total = 0
  let at = 0
  while (at + headerBytes <= stream.length) {
    const length = stream.readUInt16BE(at + 3)
    if (stream[at] === applicationData) total += length
    at += headerBytes + length
  }
  return total
}
