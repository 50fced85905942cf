import type { Clock, Random } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { RetryPolicy } from '../../../kernel/retry.ts'
import type { Permission } from '../auth/permission.ts'
import type { DatabaseId } from '../entry/entry-id.ts'
import type { KeyPair, PublicKey } from '../entry/key-pair.ts'
import type { PageLimits } from './entry-pages.ts'
import type { SyncAttempt } from './records/link-states.ts'
import type { AccessLimits, AccessPolicy } from './responder/access-desk.ts'
import type { SyncAddress } from './sync-address.ts'

export interface SyncOptions {
  readonly clock?: Clock
  /** Uniform in [0, 1): jitter of pauses. */
  readonly random?: Random
  /** Nonces and epochs; has to be unpredictable. */
  readonly randomBytes?: (length: number) => Uint8Array
  readonly log?: Logger
  /** Told to whoever asks who this is. */
  readonly displayName?: string
  /** Lets requesters in without a person; default: they wait for one. */
  readonly accessPolicy?: AccessPolicy
  readonly accessLimits?: AccessLimits
  readonly retry?: RetryPolicy
  /** Milliseconds between two exchanges when nothing happens and the database says nothing else. Default 300,000. */
  readonly intervalMs?: number
  /** Milliseconds one request may take. Default 30,000. */
  readonly timeoutMs?: number
  /** Peers known, beyond which whoever may read is served and not remembered. Default 10,000. */
  readonly maxPeers?: number
  /** How much goes into one message. */
  readonly pages?: PageLimits
  readonly observer?: SyncObserver
}

/** Hears what the sync does, for whoever counts it. Called at once: it must be quick and must not throw. */
export interface SyncObserver {
  /** An attempt of ours ended. */
  attempted?(peer: PublicKey, attempt: SyncAttempt): void
  /** A request of somebody was answered. */
  answered?(requestBytes: number, answerBytes: number): void
}

/** When a database is synced with a peer next. */
export interface PlannedSync {
  readonly peer: PublicKey
  readonly tree: DatabaseId
  /** Milliseconds from now; 0 or less: as soon as others are done. */
  readonly inMs: number
  /** In a row, up to now. */
  readonly failures: number
  readonly running: boolean
}

export interface SyncPeerInfo {
  readonly peer: PublicKey
  readonly tree: DatabaseId
  readonly addresses?: readonly SyncAddress[]
  readonly displayName?: string
  /** The key that may read the database, where that is not the device's. Kept in memory only. */
  readonly accessKey?: KeyPair
}

export interface AccessWish {
  /** The key that is to be let in. */
  readonly key: KeyPair
  /** How it wants to be called. */
  readonly name: string
  readonly permission: Permission
  /** For whoever decides, at most 4,096 bytes. */
  readonly metadata?: Uint8Array
}

/** What became of a request for access, and who answered it. */
export type AccessAnswer = { readonly peer: PublicKey } & (
  | { readonly status: 'granted'; readonly permission: Permission }
  | { readonly status: 'pending'; readonly request: string }
)
