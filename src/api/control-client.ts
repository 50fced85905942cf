import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Progress } from '../kernel/progress.ts'
import { SyncError, type SyncErrorCode } from '../kernel/sync-error.ts'
import type { AccessControl } from '../node/access-control.ts'
import type { KeyControl } from '../node/api-keys.ts'
import type {
  ImportOptions,
  ImportReport,
  NodeControl,
  NodeStatus,
  SyncDifference,
  SyncOptions,
  SyncReport,
  SyncRequest,
} from '../node/control.ts'
import type { DocumentsControl, DocumentsProgress, Waiting } from '../node/documents/documents-control.ts'
import type { IdentityControl } from '../node/identity.ts'
import type { RowsControl } from '../node/rows/rows-control.ts'
import type { ServerControl, SyncState } from '../node/sync-control.ts'
import { textLines } from '../node/text-lines.ts'
import type { SetFingerprint } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'
import { askable, type ControlCall, type ControlLine, socketName, waiting } from './control-protocol.ts'

/** The node is ours and trusted; this only keeps a broken stream from filling the memory. */
const maxLineBytes = 64 * 1024 * 1024

/** Commands a node that runs in another process of the same user. */
export class ControlClient implements NodeControl {
  readonly keys = this.#part<KeyControl>('keys')
  readonly identityControl = this.#part<IdentityControl>('identityControl')
  readonly acl = this.#part<AccessControl>('acl')
  readonly rows = this.#part<RowsControl>('rows')
  readonly documents = this.#part<DocumentsControl>('documents')
  readonly sync: ServerControl = {
    ...this.#part<Omit<ServerControl, 'updates'>>('sync'),
    updates: (signal) => this.#updates(signal),
  }
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Undefined when no node runs on the data directory. */
  static async connect(directory: string): Promise<ControlClient | undefined> {
    const path = join(directory, socketName)
    try {
      // Only whether somebody listens: a whole status would read every relay before every command.
      const socket = connect(path)
      await once(socket, 'connect')
      socket.destroy()
      return new ControlClient(path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
      throw error
    }
  }

  status(): Promise<NodeStatus> {
    return this.#call({ call: 'status' })
  }

  count(filter: Filter): Promise<SetFingerprint> {
    return this.#call({ call: 'count', filter })
  }

  syncOnce(sync: SyncRequest, { signal, onProgress, onDifference }: SyncOptions): Promise<SyncReport> {
    return this.#call({ call: 'syncOnce', ...sync }, signal, (told) => {
      const { difference } = told as { readonly difference?: SyncDifference }
      if (difference === undefined) onProgress(told as Progress)
      else onDifference?.(difference)
    })
  }

  export(filter: Filter, signal?: AbortSignal): AsyncIterable<string> {
    return this.#lines({ call: 'export', filter }, signal)
  }

  query(filter: Filter, signal?: AbortSignal): AsyncIterable<string> {
    return this.#lines({ call: 'query', filter }, signal)
  }

  async import(
    lines: AsyncIterable<string>,
    { verify, signal, onProgress }: ImportOptions,
  ): Promise<ImportReport> {
    const answer = this.#send({ call: 'import', verify }, signal, lines)
    for await (const line of answer) {
      if ('progress' in line) onProgress(line.progress as ImportReport)
      if ('result' in line) return line.result as ImportReport
    }
    throw cutOff()
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** One part of the node, with those of its methods that can be asked from outside. */
  #part<T>(of: keyof typeof askable): T {
    const asked = (method: string) => [
      method,
      (...args: unknown[]) => {
        if (!waiting.has(`${of}.${method}`)) return this.#call({ call: 'ask', of, method, args })
        // A signal cannot be sent: to break off is to hang up.
        const [wish, { signal, onProgress } = {}] = args as [unknown, Waiting?]
        const tell = (progress: unknown) => onProgress?.(progress as DocumentsProgress)
        return this.#call({ call: 'ask', of, method, args: [wish] }, signal, tell)
      },
    ]
    return Object.fromEntries(Object.keys(askable[of]).map(asked)) as T
  }

  async #call<T>(
    call: ControlCall,
    signal?: AbortSignal,
    onProgress?: (progress: unknown) => void,
  ): Promise<T> {
    for await (const line of this.#send(call, signal)) {
      if ('progress' in line) onProgress?.(line.progress)
      if ('result' in line) return line.result as T
    }
    throw cutOff()
  }

  async *#updates(signal: AbortSignal): AsyncIterable<SyncState> {
    try {
      for await (const line of this.#send({ call: 'updates' }, signal))
        if ('progress' in line) yield line.progress as SyncState
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async *#lines(call: ControlCall, signal?: AbortSignal): AsyncIterable<string> {
    for await (const line of this.#send(call, signal)) {
      if ('line' in line) yield line.line
      if ('result' in line) return
    }
    throw cutOff()
  }

  async *#send(
    call: ControlCall,
    signal?: AbortSignal,
    lines?: AsyncIterable<string>,
  ): AsyncIterable<Exclude<ControlLine, { error: unknown }>> {
    const socket = connect(this.#path)
    const onAbort = () => socket.destroy()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await once(socket, 'connect')
      socket.write(`${JSON.stringify(call)}\n`)
      // The answer streams while the lines are still being sent; a node that ends early ends the sending too.
      const sending = lines === undefined ? Promise.resolve(socket.end()) : sendLines(socket, lines)
      sending.catch(() => {})
      for await (const text of textLines(socket, maxLineBytes)) {
        const line = JSON.parse(text) as ControlLine
        if ('error' in line) throw received(line.error)
        yield line
      }
    } catch (error) {
      signal?.throwIfAborted()
      throw isReset(error) ? cutOff() : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
    }
  }
}

/** Ends the socket's sending half after the last line. */
async function sendLines(socket: Socket, lines: AsyncIterable<string>): Promise<void> {
  for await (const line of lines) {
    if (!socket.write(`${line}\n`)) await once(socket, 'drain')
    if (socket.destroyed) return
  }
  socket.end()
}

function received({
  code,
  message,
  retryable,
}: Extract<ControlLine, { error: unknown }>['error']): SyncError {
  return new SyncError(code as SyncErrorCode, message, { retryable })
}

function isReset(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function cutOff(): SyncError {
  return new SyncError(
    'peer/unreachable',
    'the node stopped before it answered; start it again with "syncline up"',
  )
}
