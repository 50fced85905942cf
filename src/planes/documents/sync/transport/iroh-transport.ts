import type { Connection, Endpoint, RecvStream, SendStream } from '@number0/iroh'
import { z } from 'zod'
import { DocumentError } from '../../document-error.ts'
import { maxMessageBytes } from '../wire/message-codec.ts'
import type { Listening, MessageHandler, SyncTransport, TransportBuilder } from './sync-transport.ts'

export interface IrohTransportOptions {
  /** `host:port` of the UDP socket; default: any. */
  readonly bind?: string
  /** Whether relays of n0 help where two peers cannot reach each other. Without them only direct addresses count. Default true. */
  readonly relays?: boolean
}

type Iroh = typeof import('@number0/iroh')

const type = 'iroh'
const alpn = [...Buffer.from('syncline/documents/1')]
/** Kept, so that the address stays the same from one start to the next. */
const stateSchema = z.object({ secret: z.string() })
/** Bytes of one write: the binding takes lists of numbers, which are many times as large. */
const writeBytes = 64 * 1024
/** Requests one connection may have under way. */
const maxStreams = 64n

/**
 * Messages over QUIC, one stream for each and its answer; finds ways through NAT. Addresses are endpoint tickets. Needs the
 * optional package `@number0/iroh`.
 */
export function irohTransport(options: IrohTransportOptions = {}): TransportBuilder {
  return {
    type,
    async build(state) {
      const iroh = await load()
      const known = stateSchema.safeParse(state).data?.secret
      const secret = known ?? Buffer.from(iroh.SecretKey.generate().toBytes()).toString('hex')
      const endpoint = await bind(iroh, [...Buffer.from(secret, 'hex')], options)
      return { transport: new IrohTransport(iroh, endpoint), state: { secret } }
    },
  }
}

async function load(): Promise<Iroh> {
  try {
    return await import('@number0/iroh')
  } catch (cause) {
    const message = 'the transport iroh needs the package @number0/iroh: npm install @number0/iroh'
    throw new DocumentError('document/transport', message, { cause })
  }
}

async function bind(iroh: Iroh, secret: number[], { bind, relays = true }: IrohTransportOptions) {
  const builder = iroh.Endpoint.builder()
  if (relays) builder.applyN0()
  // Neither relays nor discovery: whoever does not know an address finds nobody.
  else builder.applyMinimal()
  if (!relays) builder.relayMode(iroh.RelayMode.disabled())
  builder.secretKey(secret)
  builder.alpns([alpn])
  if (bind !== undefined) builder.bindAddr(bind)
  return await builder.bind()
}

class IrohTransport implements SyncTransport {
  readonly type = type
  readonly #iroh: Iroh
  readonly #endpoint: Endpoint
  readonly #connections = new Map<string, Promise<Connection>>()
  #handler: MessageHandler | undefined
  #accepting: Promise<void> | undefined

  constructor(iroh: Iroh, endpoint: Endpoint) {
    this.#iroh = iroh
    this.#endpoint = endpoint
  }

  async send(address: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    let given: (reason: unknown) => void = () => {}
    const aborted = new Promise<never>((_, reject) => {
      given = () => reject(signal.reason)
      signal.addEventListener('abort', given, { once: true })
    })
    aborted.catch(() => {})
    try {
      // The binding knows no signals: a stream that is given up ends with its connection.
      return await Promise.race([this.#exchange(address, message), aborted])
    } catch (cause) {
      this.#forget(address)
      signal.throwIfAborted()
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new DocumentError('document/unreachable', `the iroh peer cannot be reached: ${why}`, { cause })
    } finally {
      signal.removeEventListener('abort', given)
    }
  }

  async listen(handler: MessageHandler): Promise<Listening> {
    this.#handler = handler
    this.#accepting ??= this.#accept()
    const address = () => this.#iroh.EndpointTicket.fromAddr(this.#endpoint.addr()).toString()
    return {
      // Relays and networks are found, and change, while it listens.
      get addresses() {
        return [{ type, address: address() }]
      },
      [Symbol.asyncDispose]: async () => {
        this.#handler = undefined
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endpoint.close()
    await this.#accepting
  }

  async #exchange(address: string, message: Uint8Array): Promise<Uint8Array> {
    const connection = await this.#connect(address)
    const stream = await connection.openBi()
    await write(stream.send, message)
    return await read(stream.recv)
  }

  #connect(address: string): Promise<Connection> {
    const known = this.#connections.get(address)
    if (known !== undefined) return known
    const to = this.#iroh.EndpointTicket.fromString(address).endpointAddr()
    const connecting = this.#endpoint.connect(to, alpn)
    connecting.catch(() => this.#connections.delete(address))
    this.#connections.set(address, connecting)
    return connecting
  }

  #forget(address: string): void {
    const connection = this.#connections.get(address)
    this.#connections.delete(address)
    connection?.then((open) => open.close(0n, [])).catch(() => {})
  }

  async #accept(): Promise<void> {
    for (;;) {
      const incoming = await this.#endpoint.acceptNext().catch(() => null)
      if (incoming === null) return
      if (this.#handler === undefined) await incoming.refuse().catch(() => {})
      // What goes wrong on one connection ends that one.
      else
        void incoming
          .accept()
          .then((accepting) => accepting.connect())
          .then((connection) => this.#serve(connection))
          .catch(() => {})
    }
  }

  /** Until the connection ends, which rejects. */
  async #serve(connection: Connection): Promise<never> {
    connection.setMaxConcurrentBiStreams(maxStreams)
    for (;;) {
      const stream = await connection.acceptBi()
      void this.#answer(connection, stream.send, stream.recv).catch(() => connection.close(1n, []))
    }
  }

  async #answer(connection: Connection, send: SendStream, recv: RecvStream): Promise<void> {
    const message = await read(recv)
    const handler = this.#handler
    if (handler === undefined) return connection.close(0n, [])
    await write(send, await handler(message))
  }
}

async function write(stream: SendStream, message: Uint8Array): Promise<void> {
  for (let at = 0; at < message.length; at += writeBytes)
    await stream.writeAll([...message.subarray(at, at + writeBytes)])
  await stream.finish()
}

async function read(stream: RecvStream): Promise<Uint8Array> {
  return Uint8Array.from(await stream.readToEnd(maxMessageBytes))
}
