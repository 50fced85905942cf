import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Logger } from '../../kernel/logger.ts'
import {
  createHttpHandler,
  httpTransport,
  type Listening,
  type MessageHandler,
  type SyncAddress,
  type TransportBuilder,
} from '../../planes/documents/index.ts'

/** Requests under way; each may hold a message of 8 MiB. One that sends slowly must not have all of them. */
const maxRequests = 32
const maxRequestsOfAddress = 16

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * The documents protocol at `/api/v0` of a listener that is somebody else's. As a transport it dials like any of HTTP, and
 * listens once it was told where the listener is.
 */
export class PublicDoor {
  readonly #log: Logger
  readonly #clientAddress: (request: IncomingMessage) => string
  #addresses: readonly SyncAddress[] = []
  #answer: Answer | undefined
  readonly #underWay = new Map<string, number>()

  /** @param clientAddress of a request, as `clientAddressOf` tells it */
  constructor(log: Logger, clientAddress: (request: IncomingMessage) => string) {
    this.#log = log
    this.#clientAddress = clientAddress
  }

  /** Where the listener can be reached; before `listen` of the transport. */
  tellAddresses(addresses: readonly SyncAddress[]): void {
    this.#addresses = addresses
  }

  /** For the listener. False: not ours; nothing was written. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!/^\/api\/v0(?:\?|$)/.test(request.url ?? '')) return false
    const answer = this.#answer
    const slot = answer === undefined ? undefined : this.#slot(this.#clientAddress(request))
    if (answer === undefined || slot === undefined) {
      response.writeHead(503, { 'retry-after': '5', connection: 'close' }).end()
      return true
    }
    answer(request, response)
      .catch((error: unknown) => {
        this.#log.error('a documents request failed', { error: String(error) })
        response.destroy()
      })
      .finally(() => slot[Symbol.dispose]())
    return true
  }

  /** Undefined: there are too many already. */
  #slot(address: string): Disposable | undefined {
    const own = this.#underWay.get(address) ?? 0
    const all = this.#underWay.values().reduce((sum, count) => sum + count, 0)
    if (all >= maxRequests || own >= maxRequestsOfAddress) return undefined
    this.#underWay.set(address, own + 1)
    const leave = () => {
      const left = (this.#underWay.get(address) ?? 0) - 1
      if (left > 0) this.#underWay.set(address, left)
      else this.#underWay.delete(address)
    }
    return { [Symbol.dispose]: leave }
  }

  /** The transport of HTTP, with this for its server. */
  transport(): TransportBuilder {
    const dialling = httpTransport()
    return {
      type: dialling.type,
      build: async (state) => {
        const { transport } = await dialling.build(state)
        return {
          transport: {
            type: transport.type,
            send: (...message) => transport.send(...message),
            listen: async (handler) => this.#open(handler),
            [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
          },
        }
      },
    }
  }

  #open(handler: MessageHandler): Listening {
    const answer = createHttpHandler(handler)
    const listener = getRequestListener(
      async (request: Request) => (await answer(request)) ?? new Response('not found\n', { status: 404 }),
      { overrideGlobalObjects: false },
    )
    this.#answer = async (request, response) => void (await listener(request, response))
    const close = async () => {
      this.#answer = undefined
    }
    return { addresses: this.#addresses, [Symbol.asyncDispose]: close }
  }
}
