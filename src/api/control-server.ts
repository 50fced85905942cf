import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { SyncError } from '../kernel/sync-error.ts'
import { isToken, tokenPrefix } from '../node/api-key.ts'
import type { AuditEntry, AuditLog } from '../node/audit-log.ts'
import type { NodeControl } from '../node/control.ts'
import { textLines } from '../node/text-lines.ts'
import { DocumentError } from '../planes/documents/document-error.ts'
import type { Filter } from '../planes/events/filter.ts'
import { parseFilter } from '../planes/events/filter-parser.ts'
import { defaultLimits } from '../planes/events/limits.ts'
import {
  askable,
  type ControlCall,
  type ControlLine,
  callSchema,
  socketName,
  waiting,
} from './control-protocol.ts'

/** A definition, a filter, one line of an import, or a file of servers with how far they are. The caller is the node’s own user. */
const maxLineBytes = 16 * 1024 * 1024

/**
 * Serves a running node to the commands of its own user, through a socket in the data directory. Who may open the
 * directory may command the node; nobody else can reach it.
 */
export class ControlServer implements AsyncDisposable {
  readonly #node: NodeControl
  readonly #audit: Pick<AuditLog, 'add'>
  readonly #server: Server
  readonly #path: string
  readonly #sockets = new Set<Socket>()

  private constructor(node: NodeControl, audit: Pick<AuditLog, 'add'>, path: string) {
    this.#node = node
    this.#audit = audit
    this.#path = path
    // Half open: a caller that has sent all its lines still waits for the answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket))
  }

  static async listen(
    node: NodeControl & { readonly audit: Pick<AuditLog, 'add'> },
    directory: string,
  ): Promise<ControlServer> {
    const path = join(directory, socketName)
    // A socket file left by a killed process; the directory's lock says that it is nobody's now.
    await rm(path, { force: true })
    const server = new ControlServer(node, node.audit, path)
    server.#server.listen(path)
    await once(server.#server, 'listening')
    await chmod(path, 0o600)
    return server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
    await rm(this.#path, { force: true })
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    const abort = new AbortController()
    // A caller that goes away, and one that breaks off: both end its call.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      abort.abort(new SyncError('peer/unreachable', 'the command was interrupted'))
    })
    const write = async (line: ControlLine) => {
      if (abort.signal.aborted || socket.write(`${JSON.stringify(line)}\n`)) return
      await once(socket, 'drain', { signal: abort.signal }).catch(() => {})
    }
    try {
      await write({ result: (await this.#answer(socket, write, abort.signal)) ?? null })
    } catch (error) {
      await write({ error: describe(error) })
    }
    socket.end()
    // What a caller still sends after its answer is not read by anybody.
    socket.resume()
  }

  async #answer(
    socket: Socket,
    write: (line: ControlLine) => Promise<void>,
    signal: AbortSignal,
  ): Promise<unknown> {
    // Reading to the end must not destroy the socket: the answer is still to come.
    const lines = textLines(socket.iterator({ destroyOnReturn: false }), maxLineBytes)
    const { value: first } = await lines.next()
    const call = callSchema.parse(JSON.parse(first ?? ''))
    const onProgress = (progress: unknown) => void write({ progress })
    if (call.call === 'import') return this.#node.import(lines, { verify: call.verify, signal, onProgress })
    const run = () => this.#run(this.#node, call, write, signal, onProgress)
    return changes(call) ? this.#audited(call, run) : run()
  }

  async #audited(call: ControlCall, run: () => Promise<unknown>): Promise<unknown> {
    const entry = { actor: 'local', ...described(call) }
    try {
      const result = await run()
      await this.#audit.add({ ...entry, result: 'ok' })
      return result
    } catch (error) {
      await this.#audit.add({ ...entry, result: describe(error).code })
      throw error
    }
  }

  async #run(
    node: NodeControl,
    call: Exclude<ControlCall, { call: 'import' }>,
    write: (line: ControlLine) => Promise<void>,
    signal: AbortSignal,
    onProgress: (progress: unknown) => void,
  ): Promise<unknown> {
    switch (call.call) {
      case 'status':
        return node.status()
      case 'ask':
        return ask(node, call, { signal, onProgress })
      case 'count':
        return node.count(filterOf(call.filter))
      case 'syncOnce':
        return node.syncOnce(
          { ...call, filter: filterOf(call.filter) },
          { signal, onProgress, onDifference: (difference) => onProgress({ difference }) },
        )
      case 'updates':
        // At the pace of the reader: meanwhile the newest state of a link replaces the one before.
        for await (const progress of node.sync.updates(signal)) await write({ progress })
        return undefined
      case 'export':
      case 'query':
        for await (const line of node[call.call](filterOf(call.filter), signal)) await write({ line })
        return undefined
    }
  }
}

/** Only what `askable` names: the rest of these objects is nobody's business outside. */
function ask(
  node: NodeControl,
  { of, method, args }: Extract<ControlCall, { call: 'ask' }>,
  attention: { readonly signal: AbortSignal; readonly onProgress: (progress: unknown) => void },
): unknown {
  const part = node[of] as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>
  if (!Object.hasOwn(askable[of], method))
    throw new SyncError(
      'config/invalid',
      `there is no ${of}.${method} to ask for; is the node of another version?`,
    )
  // JSON has no undefined: what was left out came as null.
  const given = args.map((argument) => argument ?? undefined)
  return part[method]!(...given, ...(waiting.has(`${of}.${method}`) ? [attention] : []))
}

/** What the audit log says of a call: everything but secrets, which stand among the arguments without a name. */
function described({ call: name, ...params }: ControlCall): Pick<AuditEntry, 'method' | 'params'> {
  if (!('of' in params)) return { method: name, params }
  const { of, method, args } = params
  const shown = of === 'identityControl' ? [] : args.map(withoutToken)
  return { method: `${of}.${method}`, params: { args: shown } }
}

const withoutToken = (argument: unknown): unknown =>
  typeof argument === 'string' && isToken(argument) ? tokenPrefix(argument) : argument

function changes(call: ControlCall): boolean {
  if (call.call !== 'ask') return false
  return (askable[call.of] as Readonly<Record<string, boolean>>)[call.method] === true
}

const filterOf = (value: unknown): Filter => parseFilter(value, defaultLimits)

function describe(error: unknown): Extract<ControlLine, { error: unknown }>['error'] {
  if (error instanceof SyncError)
    return { code: error.code, message: error.message, retryable: error.retryable }
  if (error instanceof DocumentError) return { code: error.code, message: error.message, retryable: false }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'internal/bug', message, retryable: false }
}
