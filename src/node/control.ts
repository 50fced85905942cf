import type { Direction } from '../kernel/link.ts'
import type { Progress } from '../kernel/progress.ts'
import type { RunRecord } from '../kernel/run.ts'
import type { SetFingerprint } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'
import type { GitDataStatus } from '../planes/events/git/git-data.ts'
import type { AccessControl } from './access-control.ts'
import type { KeyControl } from './api-keys.ts'
import type { DocumentsControl, DocumentsStatus } from './documents/documents-control.ts'
import type { IdentityControl } from './identity.ts'
import type { RowsControl, RowsStatus } from './rows/rows-control.ts'
import type { ServerControl } from './sync-control.ts'

/**
 * What can be asked of a node. The node itself implements it, and so does the client that speaks to a running node
 * through its data directory: a command does not know which of the two it has.
 */
export interface NodeControl extends AsyncDisposable {
  status(): Promise<NodeStatus>
  /** Brings the node into step with one relay, configured or not, and ends; with `live` it stays until interrupted. */
  syncOnce(request: SyncRequest, options: SyncOptions): Promise<SyncReport>
  /** Reads events, one JSON text per line; each is checked like any other unless told not to. */
  import(lines: AsyncIterable<string>, options: ImportOptions): Promise<ImportReport>
  /** Stored events as received, oldest first, ties by id. */
  export(filter: Filter, signal?: AbortSignal): AsyncIterable<string>
  /** Stored events as a relay would answer them: newest first, `limit` honoured. */
  query(filter: Filter, signal?: AbortSignal): AsyncIterable<string>
  count(filter: Filter): Promise<SetFingerprint>
  /** Keys of the admin API. */
  readonly keys: KeyControl
  readonly identityControl: IdentityControl
  /** The relays as servers: definitions, state, history, and what can be asked of them. */
  readonly sync: ServerControl
  /** Who may read and write what is protected. */
  readonly acl: AccessControl
  /** The rows that are served to SQLite clients. */
  readonly rows: RowsControl
  /** Databases of signed entries, shared with peers. */
  readonly documents: DocumentsControl
}

export interface NodeStatus {
  readonly version: string
  readonly directory: string
  /** Public key of the node's identity. */
  readonly identity: string
  /** Where the relay listens; undefined when this process serves none. */
  readonly listening: string | undefined
  readonly events: SetFingerprint
  /** Undefined where no git data is kept. */
  readonly git: GitStatus | undefined
  /** Undefined when this process serves no rows. */
  readonly rows?: RowsStatus | undefined
  /** Undefined where there are no documents and none are served. */
  readonly documents?: DocumentsStatus | undefined
}

/** What git data sync does, or why this machine cannot. */
export type GitStatus = GitDataStatus | { readonly problem: string }

export interface SyncRequest {
  readonly url: string
  /** `none`: find the difference and move nothing, neither events nor what the node remembers about the relay. */
  readonly direction: Direction | 'none'
  readonly filter: Filter
  readonly live: boolean
}

export interface SyncOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
  /** With direction `none`: ids as they are found, each once. */
  readonly onDifference?: ((difference: SyncDifference) => void) | undefined
}

/** Ids only the relay has, and ids only we have. */
export interface SyncDifference {
  readonly need: readonly string[]
  readonly have: readonly string[]
}

export interface SyncReport {
  readonly url: string
  readonly run: RunRecord
}

export interface ImportOptions {
  /** False: signatures are taken on trust; ids and shapes are checked all the same. */
  readonly verify: boolean
  readonly signal: AbortSignal
  readonly onProgress: (report: ImportReport) => void
}

export interface ImportReport {
  /** Lines that are durably stored or were already there. */
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: number
  /** Of the refused: line number and reason, the first ones only. */
  readonly reasons: readonly { readonly line: number; readonly reason: string }[]
}
