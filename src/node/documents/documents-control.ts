/** What can be asked of the documents of a node. A database is named by its id, or by its name where only one has it. */
export interface DocumentsControl {
  /** Makes a database of which the node's own key is the owner. It is not shared. */
  create(wish: { readonly name: string }): Promise<DatabaseDetail>
  list(): Promise<readonly DatabaseSummary[]>
  show(database: string): Promise<DatabaseDetail>
  /** What is at a path of a store; without a path, all of it. */
  read(place: StorePlace): Promise<StoredValue>
  /** Writes one value as one entry. */
  write(place: StorePlace & { readonly path: string; readonly value: unknown }): Promise<WrittenEntry>
  /** Deletes what is at a path, as one entry. */
  remove(place: StorePlace & { readonly path: string }): Promise<WrittenEntry>
  /** Lets those whom a database grants something have it, and keeps it in step with them. */
  share(wish: {
    readonly database: string
    readonly everySeconds?: number | undefined
  }): Promise<DatabaseDetail>
  /** The opposite; also gives up a database that was joined and is not here yet. */
  unshare(database: string): Promise<void>
  /** Where to have a database; it is shared from then on. */
  ticket(database: string): Promise<IssuedTicket>
  /** Brings the database of a ticket here and keeps it in step, asking for access where that is wanted. */
  join(wish: JoinWish, waiting?: Waiting): Promise<JoinReport>
  /** Brings databases in step with their peers now. */
  sync(wish: SyncWish, waiting?: Waiting): Promise<readonly SyncedLink[]>
  /** Requests for access, oldest first. */
  requests(status?: RequestStatus): Promise<readonly AccessRequestView[]>
  /** Lets somebody in, as he asked or with another permission. */
  approve(decision: {
    readonly request: string
    readonly permission?: string | undefined
  }): Promise<AccessRequestView>
  reject(request: string): Promise<AccessRequestView>
  /** Lets a key do something in a database; `everybody` is all keys there are. */
  grant(grant: GrantWish): Promise<DatabaseDetail>
  /** Takes back what a key was granted. What it wrote stays. */
  revoke(wish: { readonly database: string; readonly key: string }): Promise<DatabaseDetail>
  peers(): Promise<readonly PeerView[]>
  /** Serves and dials a peer no more. It is let in again by a ticket of its own. */
  removePeer(key: string): Promise<void>
  /** Attempts to sync, newest first. */
  history(wish: HistoryWish): Promise<readonly AttemptView[]>
}

export interface Waiting {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: DocumentsProgress) => void) | undefined
}

export interface DocumentsProgress {
  readonly step: 'connecting' | 'waiting for a decision' | 'syncing'
  /** Entries of the database that are here. */
  readonly entries: number
}

export interface DatabaseSummary {
  readonly id: string
  readonly name: string | null
  /** `awaited`: joined, and nothing of it is here yet. */
  readonly state: 'here' | 'awaited'
  /** Verified entries. */
  readonly entries: number
  readonly shared: boolean
  /** How many peers it is kept in step with. */
  readonly peers: number
  /** What the node's own key may do in it. Null: nothing; `everything` where there are no keys at all. */
  readonly permission: string | null
}

export interface DatabaseDetail extends DatabaseSummary {
  /** Entries nothing builds on yet, sorted. Equal tips mean equal databases. */
  readonly tips: readonly string[]
  /** Entries that wait for others, and those found bad. */
  readonly held: number
  readonly failed: number
  readonly stores: readonly { readonly name: string; readonly type: string }[]
  readonly keys: readonly KeyView[]
  /** What everybody may do. */
  readonly everybody: string | null
  readonly links: readonly LinkView[]
  /** Of an awaited one: what was asked for, of whom and when. */
  readonly awaited: AwaitedAccess | null
}

export interface KeyView {
  readonly key: string
  readonly name: string | null
  readonly permission: string
  readonly status: 'active' | 'revoked'
  /** It is this node's. */
  readonly own: boolean
}

export interface AwaitedAccess {
  readonly permission: string
  readonly peer: string
  readonly request: string
  readonly asked_at: string
}

/** How one database is with one peer. */
export interface LinkView {
  readonly database: string
  readonly peer: string
  readonly in_step: boolean
  readonly last_success_at: string | null
  readonly last_attempt_at: string | null
  /** Of the last attempt. */
  readonly last_error: string | null
  readonly last_error_code: string | null
  readonly attempts: { readonly succeeded: number; readonly failed: number }
  /** Entries, ever. */
  readonly received: number
  readonly sent: number
  /** Null: it is not tried by itself, as where the node does not run, or the peer has no address. */
  readonly next_attempt_at: string | null
}

export interface StorePlace {
  readonly database: string
  readonly store: string
  /** Components by dots; in a table, the key of a row. */
  readonly path?: string | undefined
}

export interface StoredValue {
  readonly database: string
  readonly store: string
  readonly path: string | null
  readonly type: string
  readonly value: unknown
}

export interface WrittenEntry {
  readonly database: string
  readonly entry: string
}

export interface IssuedTicket {
  readonly database: string
  readonly ticket: string
  /** As `http:192.0.2.1:7777`. */
  readonly addresses: readonly string[]
  /** All of them are of this machine only. */
  readonly local: boolean
}

export interface JoinWish {
  readonly ticket: string
  /** `read`, `write`, `admin`, or with a priority, `write:10`. Undefined: nothing is asked for. */
  readonly permission?: string | undefined
  /** How the node wants to be called there. */
  readonly name?: string | undefined
  /** For whoever decides. */
  readonly message?: string | undefined
  /** Until it is decided. */
  readonly wait?: boolean | undefined
}

export interface JoinReport {
  /** `pending`: somebody has to decide; it is joined by itself after that. */
  readonly status: 'joined' | 'pending'
  readonly database: string
  readonly name: string | null
  readonly peer: string
  readonly entries: number
  /** What the node's key may do in it now. */
  readonly permission: string | null
  /** The number of the request, where one waits. */
  readonly request: string | null
}

export interface SyncWish {
  /** Default: all that are shared. */
  readonly database?: string | undefined
  /** Only with this one. */
  readonly peer?: string | undefined
}

export interface SyncedLink {
  readonly database: string
  readonly name: string | null
  readonly peer: string
  readonly outcome: 'in-step' | 'failed' | 'not-dialable'
  readonly received: number
  readonly sent: number
  readonly error: { readonly code: string; readonly message: string } | null
}

export type RequestStatus = 'pending' | 'approved' | 'rejected'

export interface AccessRequestView {
  readonly id: string
  readonly database: string
  readonly database_name: string | null
  readonly key: string
  readonly name: string
  readonly permission: string
  readonly message: string | null
  readonly asked_at: string
  readonly status: RequestStatus
  readonly decided_at: string | null
  /** What was granted. */
  readonly granted: string | null
}

export interface GrantWish {
  readonly database: string
  /** A public key, or `everybody`. */
  readonly key: string
  readonly permission: string
  readonly name?: string | undefined
}

export interface PeerView {
  readonly key: string
  readonly name: string | null
  readonly addresses: readonly string[]
  readonly databases: readonly string[]
  readonly first_seen_at: string
}

export interface HistoryWish {
  readonly database?: string | undefined
  readonly peer?: string | undefined
  readonly limit: number
}

export interface AttemptView {
  readonly peer: string
  readonly database: string
  readonly started_at: string
  readonly duration_ms: number
  readonly received: number
  readonly sent: number
  readonly bytes: number
  readonly requests: number
  readonly error: string | null
}

/** How the documents of a node are. */
export interface DocumentsStatus {
  /** Whether they can be read and written here, and others be served where that is wanted. */
  readonly healthy: boolean
  /** Why not. */
  readonly problem: string | null
  /** Public key of the node as a documents peer; null while there is a problem. */
  readonly device: string | null
  /** Where others can connect, as `http:192.0.2.1:7777`; none: nowhere. */
  readonly addresses: readonly string[]
  readonly databases: { readonly total: number; readonly shared: number; readonly awaited: number }
  readonly entries: { readonly verified: number; readonly unverified: number; readonly failed: number }
  readonly peers: number
  /** Databases times peers they are shared with. */
  readonly links: { readonly total: number; readonly in_step: number; readonly failing: number }
  readonly pending_requests: number
  /** Of the links that are failing, the latest. */
  readonly last_failure: {
    readonly database: string
    readonly peer: string
    readonly at: string
    readonly message: string
  } | null
  readonly next_attempt_at: string | null
}
