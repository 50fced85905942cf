import { SyncError } from '../../../kernel/sync-error.ts'
import { type Fields, isFields } from './field-reader.ts'

/** One entry of a file with definitions, not yet checked. */
export interface FileEntry {
  readonly input: unknown
  /** The newest event the other program had seen; null when it says nothing. It proves nothing about older ones. */
  readonly cursor: { readonly created_at: number; readonly event_id: string } | null
  /** What a file of ours keeps besides; unchecked. */
  readonly kept?: { readonly profile: unknown; readonly state: unknown; readonly links: unknown }
}

export interface ServersFile {
  readonly entries: readonly FileEntry[]
  /** Names the store a file of ours was written from: what it says about progress holds for that one. */
  readonly store: string | undefined
}

/**
 * Reads the text of a file with definitions: one, a list of them, Parrhesia's `sync_servers.json` of version 2, or what we
 * export, version 3 (spec events §2.11). In version 2 the runtime state says whether a server runs, as `enabled?` is only its
 * first wish.
 *
 * @throws SyncError `config/invalid` when it is none of these
 */
export function parseServersFile(text: string): ServersFile {
  const content = parseJson(text)
  const bare = (entries: readonly FileEntry[]): ServersFile => ({ entries, store: undefined })
  if (Array.isArray(content)) return bare(content.map(alone))
  if (!isFields(content)) throw invalid('it holds neither an object nor a list')
  if (!Object.hasOwn(content, 'servers')) return bare([alone(content)])
  const { version, servers, store } = content
  if (version !== 2 && version !== 3)
    throw invalid(`only the versions 2 and 3 are known, not ${JSON.stringify(version)}`)
  if (!isFields(servers)) throw invalid('"servers" must be an object')
  const part = (name: string, id: string) => {
    const all = content[name]
    return isFields(all) && Object.hasOwn(all, id) ? all[id] : undefined
  }
  const entries = Object.entries(servers).map(([id, server]): FileEntry => {
    if (!isFields(server)) return alone(server)
    const known = part('runtime', id)
    const runtime = isFields(known) ? known : undefined
    if (version === 2) return withRuntime({ id, ...server }, runtime)
    const kept = { profile: part('profiles', id), state: runtime?.state, links: part('links', id) }
    return { input: { id, ...server }, cursor: cursorOf(runtime), kept }
  })
  return { entries, store: version === 3 && typeof store === 'string' ? store : undefined }
}

/** What a listing shows comes with its runtime state, which is no part of the definition. */
function alone(input: unknown): FileEntry {
  if (!isFields(input) || !isFields(input.runtime)) return { input, cursor: null }
  const { runtime, ...server } = input
  return withRuntime(server, input.runtime)
}

function withRuntime(server: Fields, runtime: Fields | undefined): FileEntry {
  if (runtime === undefined) return { input: server, cursor: null }
  const { state } = runtime
  const { enabled: _, ...rest } = server
  const wish = state === 'running' ? true : state === 'stopped' ? false : undefined
  return { input: wish === undefined ? server : { ...rest, 'enabled?': wish }, cursor: cursorOf(runtime) }
}

function cursorOf(runtime: Fields | undefined): FileEntry['cursor'] {
  const { cursor_created_at: at, cursor_event_id: id } = runtime ?? {}
  return Number.isSafeInteger(at) && typeof id === 'string'
    ? { created_at: at as number, event_id: id }
    : null
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
