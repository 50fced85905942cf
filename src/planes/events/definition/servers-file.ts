import { SyncError } from '../../../kernel/sync-error.ts'
import { type Fields, isFields } from './field-reader.ts'

/** One entry of a file with definitions, not yet checked. */
export interface FileEntry {
  readonly input: unknown
  /** The newest event the other program had seen; null when it says nothing. It proves nothing about older ones. */
  readonly cursor: { readonly created_at: number; readonly event_id: string } | null
}

/**
 * Reads the text of a file with definitions: one, a list of them, or Parrhesia's `sync_servers.json` of version 2
 * (spec events §2.11). There the runtime state says whether a server runs, as `enabled?` is only its first wish.
 *
 * @throws SyncError `config/invalid` when it is none of these
 */
export function parseServersFile(text: string): readonly FileEntry[] {
  const content = parseJson(text)
  if (Array.isArray(content)) return content.map(alone)
  if (!isFields(content)) throw invalid('it holds neither an object nor a list')
  if (!Object.hasOwn(content, 'servers')) return [alone(content)]
  if (content.version !== 2) throw invalid(`only version 2 is known, not ${JSON.stringify(content.version)}`)
  if (!isFields(content.servers)) throw invalid('"servers" must be an object')
  const runtimes = isFields(content.runtime) ? content.runtime : {}
  return Object.entries(content.servers).map(([id, server]) => {
    if (!isFields(server)) return alone(server)
    const runtime = Object.hasOwn(runtimes, id) ? runtimes[id] : undefined
    return withRuntime({ id, ...server }, isFields(runtime) ? runtime : undefined)
  })
}

/** What a listing shows comes with its runtime state, which is no part of the definition. */
function alone(input: unknown): FileEntry {
  if (!isFields(input) || !isFields(input.runtime)) return { input, cursor: null }
  const { runtime, ...server } = input
  return withRuntime(server, input.runtime)
}

function withRuntime(server: Fields, runtime: Fields | undefined): FileEntry {
  if (runtime === undefined) return { input: server, cursor: null }
  const { state, cursor_created_at: at, cursor_event_id: id } = runtime
  const { enabled: _, ...rest } = server
  const wish = state === 'running' ? true : state === 'stopped' ? false : undefined
  const hasCursor = Number.isSafeInteger(at) && typeof id === 'string'
  return {
    input: wish === undefined ? server : { ...rest, 'enabled?': wish },
    cursor: hasCursor ? { created_at: at as number, event_id: id } : null,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid((error as Error).message)
  }
}

function invalid(why: string): SyncError {
  return new SyncError('config/invalid', `the file is no list of sync servers: ${why}`)
}
