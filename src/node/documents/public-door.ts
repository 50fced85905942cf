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

/** Requests under way; each may hold a message of 8 MiB. */
const maxRequests = 32

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * The documents protocol at `/api/v0` of a listener that is somebody else's. As a transport it dials like any of HTTP, and
 * listens once it was told where the listener is.
 */
export class PublicDoor {
  readonly #log: Logger
  #addresses: readonly SyncAddress[] = []
  #answer: Answer | undefined
  #underWay = 0

  constructor(log: Logger) {
    this.#log = log
  }

  /** Where the listener can be reached; before `listen` of the transport. */
  tellAddresses(addresses: readonly SyncAddress[]): void {
    this.#addresses = addresses
  }

  /** For the listener. False: not ours; nothing was written. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!/^\/api\/v0(?:\?|$)/.test(request.url ?? '')) return false
    const answer = this.#answer
    if (answer === undefined || this.#underWay >= maxRequests) {
      response.writeHead(503, { 'retry-after': '5', connection: 'close' }).end()
      return true
    }
    this.#underWay += 1
    answer(request, response)
      .catch((error: unknown) => {
        this.#log.error('a documents request failed', { error: String(error) })
        response.destroy()
      })
      .finally(() => {
        this.#underWay -= 1
      })
    return true
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
