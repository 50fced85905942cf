import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** Lines cut so far. */
  readonly cuts: number
  /** Where connections made from now on lead. */
  leadTo(port: number): void
}

/** Passes TCP on, and cuts each of the first `lines` connections once so many bytes came back through it. */
export async function cuttingProxy(lines: number, afterBytes: number): Promise<CuttingProxy> {
  let [target, cuts] = [0, 0]
  const open = new Set<Disposable>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    const line = {
      [Symbol.dispose]: () => {
        client.destroy()
        upstream.destroy()
        open.delete(line)
      },
    }
    open.add(line)
    let bytes = 0
    upstream.on('data', (data) => {
      bytes += data.length
      if (cuts >= lines || bytes < afterBytes) return
      cuts++
      line[Symbol.dispose]()
    })
    for (const socket of [client, upstream])
      socket.on('error', () => {}).on('close', () => line[Symbol.dispose]())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts
    },
    leadTo: (port) => {
      target = port
    },
    async [Symbol.asyncDispose]() {
      for (const line of open) line[Symbol.dispose]()
      server.close()
      await once(server, 'close')
    },
  }
}
