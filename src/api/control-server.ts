import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { SyncError } from '../kernel/sync-error.ts'
import type { NodeControl } from '../node/control.ts'
import type { RelayDefinition } from '../node/relay-directory.ts'
import { textLines } from '../node/text-lines.ts'
import type { Filter } from '../planes/events/filter.ts'
import { parseFilter } from '../planes/events/filter-parser.ts'
import { defaultLimits } from '../planes/events/limits.ts'
import { type ControlCall, type ControlLine, callSchema, socketName } from './control-protocol.ts'

/** A definition, a filter, or one line of an import. */
const maxBodyBytes = 1024 * 1024

/**
 * Serves a running node to the commands of its own user, through a socket in the data directory. Who may open the
 * directory may command the node; nobody else can reach it.
 */
export class ControlServer implements AsyncDisposable {
  readonly #node: NodeControl
  readonly #server: Server
  readonly #path: string

  private constructor(node: NodeControl, path: string) {
    this.#node = node
    this.#path = path
    this.#server = createServer((request, response) => void this.#serve(request, response))
    // Calls last as long as their work: a live sync for days, an import for hours.
    this.#server.requestTimeout = 0
  }

  static async listen(node: NodeControl, directory: string): Promise<ControlServer> {
    const path = join(directory, socketName)
    // A socket file left by a killed process; the directory's lock says that it is nobody's now.
    await rm(path, { force: true })
    const server = new ControlServer(node, path)
    server.#server.listen(path)
    await once(server.#server, 'listening')
    await chmod(path, 0o600)
    return server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    await rm(this.#path, { force: true })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const abort = new AbortController()
    response.on('close', () => abort.abort(new SyncError('peer/unreachable', 'the command was interrupted')))
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const write = async (line: ControlLine) => {
      if (response.write(`${JSON.stringify(line)}\n`) || abort.signal.aborted) return
      await once(response, 'drain', { signal: abort.signal }).catch(() => {})
    }
    try {
      await write({ result: (await this.#answer(request, write, abort.signal)) ?? null })
    } catch (error) {
      await write({ error: describe(error) })
    }
    response.end()
  }

  async #answer(
    request: IncomingMessage,
    write: (line: ControlLine) => Promise<void>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const onProgress = (progress: unknown) => void write({ progress })
    if (request.url === '/import' || request.url === '/import?verify=false') {
      const lines = textLines(request, maxBodyBytes)
      return this.#node.import(lines, { verify: request.url === '/import', signal, onProgress })
    }
    const call = callSchema.parse(JSON.parse(await bodyOf(request)))
    return this.#run(this.#node, call, write, signal, onProgress)
  }

  async #run(
    node: NodeControl,
    call: ControlCall,
    write: (line: ControlLine) => Promise<void>,
    signal: AbortSignal,
    onProgress: (progress: unknown) => void,
  ): Promise<unknown> {
    switch (call.call) {
      case 'status':
        return node.status()
      case 'relays':
        return node.relays()
      case 'relay':
        return node.relay(call.url)
      case 'removeRelay':
        return node.removeRelay(call.url)
      case 'addRelay':
        return node.addRelay(call.definition as RelayDefinition)
      case 'setRelay':
        return node.setRelay(call.definition as RelayDefinition)
      case 'count':
        return node.count(filterOf(call.filter))
      case 'sync':
        return node.sync({ ...call, filter: filterOf(call.filter) }, { signal, onProgress })
      case 'export':
      case 'query':
        for await (const line of node[call.call](filterOf(call.filter), signal)) await write({ line })
        return undefined
    }
  }
}

const filterOf = (value: unknown): Filter => parseFilter(value, defaultLimits)

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > maxBodyBytes) throw new SyncError('data/invalid', `a call is at most ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function describe(error: unknown): Extract<ControlLine, { error: unknown }>['error'] {
  if (error instanceof SyncError)
    return { code: error.code, message: error.message, retryable: error.retryable }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'internal/bug', message, retryable: false }
}
