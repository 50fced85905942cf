import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Progress } from '../kernel/progress.ts'
import { SyncError, type SyncErrorCode } from '../kernel/sync-error.ts'
import type {
  ImportOptions,
  ImportReport,
  NodeControl,
  NodeStatus,
  SyncOptions,
  SyncReport,
  SyncRequest,
} from '../node/control.ts'
import type { RelayDefinition, RelayEntry } from '../node/relay-directory.ts'
import { textLines } from '../node/text-lines.ts'
import type { SetFingerprint } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'
import { type ControlCall, type ControlLine, socketName } from './control-protocol.ts'

/** The node is ours and trusted; this only keeps a broken stream from filling the memory. */
const maxLineBytes = 64 * 1024 * 1024

/** Commands a node that runs in another process of the same user. */
export class ControlClient implements NodeControl {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Undefined when no node runs on the data directory. */
  static async connect(directory: string): Promise<ControlClient | undefined> {
    const client = new ControlClient(join(directory, socketName))
    try {
      await client.status()
      return client
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
      throw error
    }
  }

  status(): Promise<NodeStatus> {
    return this.#call({ call: 'status' })
  }

  relays(): Promise<readonly RelayEntry[]> {
    return this.#call({ call: 'relays' })
  }

  relay(url: string): Promise<RelayEntry> {
    return this.#call({ call: 'relay', url })
  }

  removeRelay(url: string): Promise<void> {
    return this.#call({ call: 'removeRelay', url })
  }

  addRelay(definition: RelayDefinition): Promise<RelayEntry> {
    return this.#call({ call: 'addRelay', definition: { ...definition } })
  }

  setRelay(definition: RelayDefinition): Promise<RelayEntry> {
    return this.#call({ call: 'setRelay', definition: { ...definition } })
  }

  count(filter: Filter): Promise<SetFingerprint> {
    return this.#call({ call: 'count', filter })
  }

  sync(sync: SyncRequest, { signal, onProgress }: SyncOptions): Promise<SyncReport> {
    return this.#call({ call: 'sync', ...sync }, signal, (progress) => onProgress(progress as Progress))
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
    const outgoing = request({
      socketPath: this.#path,
      path: verify ? '/import' : '/import?verify=false',
      method: 'POST',
      signal,
    })
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
    const body = Readable.from(withNewlines(lines))
    // The answer streams while the body is still being sent; a node that refuses early ends the upload.
    const sent = pipeline(body, outgoing).catch(() => {})
    const [response] = await answered
    for await (const line of answers(response)) {
      if ('progress' in line) onProgress(line.progress as ImportReport)
      if ('result' in line) {
        await sent
        return line.result as ImportReport
      }
    }
    throw cutOff()
  }

  async [Symbol.asyncDispose](): Promise<void> {}

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

  async *#lines(call: ControlCall, signal?: AbortSignal): AsyncIterable<string> {
    for await (const line of this.#send(call, signal)) {
      if ('line' in line) yield line.line
      if ('result' in line) return
    }
    throw cutOff()
  }

  async *#send(call: ControlCall, signal?: AbortSignal): AsyncIterable<ControlLine> {
    const outgoing = request({
      socketPath: this.#path,
      method: 'POST',
      ...(signal === undefined ? {} : { signal }),
    })
    outgoing.end(JSON.stringify(call))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    try {
      yield* answers(response)
    } finally {
      response.destroy()
    }
  }
}

async function* answers(response: IncomingMessage): AsyncIterable<Exclude<ControlLine, { error: unknown }>> {
  for await (const text of textLines(response, maxLineBytes)) {
    const line = JSON.parse(text) as ControlLine
    if ('error' in line) {
      const { code, message, retryable } = line.error
      throw new SyncError(code as SyncErrorCode, message, { retryable })
    }
    yield line
  }
}

async function* withNewlines(lines: AsyncIterable<string>): AsyncIterable<string> {
  for await (const line of lines) yield `${line}\n`
}

function cutOff(): SyncError {
  return new SyncError(
    'peer/unreachable',
    'the node stopped before it answered; start it again with "syncline up"',
  )
}
