import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

/** `pass` it on, `drop` it, `cut` both connections instead, answer its sender, or pass on other frames in its place. */
export type Treatment =
  | 'pass'
  | 'drop'
  | 'cut'
  | { readonly answer: readonly string[] }
  | { readonly instead: readonly string[] }

export interface FrameProxy extends AsyncDisposable {
  readonly url: string
  /** Frames seen so far, both ways. */
  readonly frames: number
}

export type Treat = (frame: string, from: 'client' | 'relay', count: number) => Treatment

/** A line to a relay on which a test decides about every single frame. */
export async function frameProxy(target: string, treat: Treat): Promise<FrameProxy> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  await once(server, 'listening')
  const state = { frames: 0 }
  const upstreams = new Set<WebSocket>()
  server.on('connection', (client) => {
    const relay = new WebSocket(target, { perMessageDeflate: false })
    upstreams.add(relay)
    const opened = new Promise<void>((resolve) => relay.once('open', () => resolve()))
    const cut = () => {
      client.terminate()
      relay.terminate()
    }
    const through = (from: 'client' | 'relay', sender: WebSocket, receiver: WebSocket) => (data: unknown) => {
      const frame = String(data)
      const treatment = treat(frame, from, ++state.frames)
      if (treatment === 'cut') cut()
      else if (treatment === 'pass') receiver.send(frame)
      else if (treatment === 'drop') return
      else if ('answer' in treatment) for (const answer of treatment.answer) sender.send(answer)
      else for (const other of treatment.instead) receiver.send(other)
    }
    const toRelay = through('client', client, relay)
    client.on('message', (data) => void opened.then(() => toRelay(data)))
    relay.on('message', through('relay', relay, client))
    for (const socket of [client, relay]) {
      socket.on('error', () => {})
      socket.on('close', cut)
    }
  })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get frames() {
      return state.frames
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...server.clients, ...upstreams]) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
