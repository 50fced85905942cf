import type { LinkId } from './link.ts'
import type { SyncErrorCode } from './sync-error.ts'

/** How an attempt ended; `cancelled`: stopped on purpose, or its process died. */
export type AttemptResult = 'caught-up' | 'more' | 'rebuild' | 'blocked' | 'failed' | 'cancelled'

export interface AttemptStart {
  readonly link: LinkId
  /** Why it began: `due`, `retry`, `asked`, or the word of who asked. */
  readonly trigger: string
  /** Wall ms. */
  readonly startedAt: number
}

export interface AttemptEnd {
  readonly finishedAt: number
  readonly result: AttemptResult
  /** Set when it failed. */
  readonly code: SyncErrorCode | undefined
  /** The finer name of the failure, where whoever threw it gave one. */
  readonly fault?: string | undefined
  /** Why it failed, is blocked or starts over, for people. */
  readonly reason: string | undefined
  readonly counters: Readonly<Record<string, number>>
  readonly notes: Readonly<Record<string, string>>
}

/** One attempt as it stays in the history of its link; without `end` while it runs. */
export interface AttemptRecord extends AttemptStart {
  /** Grows with every attempt of the store. */
  readonly id: number
  readonly end: AttemptEnd | undefined
}

/** Attempts kept per link, the newest ones; enough to see a pattern, bounded for links that retry for years. */
export const attemptsKept = 50
