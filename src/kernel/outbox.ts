import type { LinkId } from './link.ts'

/**
 * What still has to reach a peer, durably. An item leaves by success or into a dead letter that stays visible with
 * its reason; nothing is dropped (promise K4).
 */
export interface OutboxItem {
  readonly link: LinkId
  /** Unique per link: an event id, an entry id, a bundle number. */
  readonly key: string
  readonly state: 'pending' | 'dead'
  readonly attempts: number
  /** Wall time in ms before which it is not tried again; 0 when due, for a dead letter: never. */
  readonly notBefore: number
  /** Why the last attempt failed, in the peer's words where it said any. */
  readonly reason: string | undefined
}

export interface Outbox<Tx> {
  /** Adds what is not there yet; a dead letter is not revived. */
  add(tx: Tx, link: LinkId, keys: readonly string[]): Promise<void>
  /** Due items, oldest first. */
  due(tx: Tx, link: LinkId, now: number, limit: number): Promise<readonly OutboxItem[]>
  /** Delivered: the items are gone. */
  done(tx: Tx, link: LinkId, keys: readonly string[]): Promise<void>
  /** Failed for now: pending until `notBefore`, added when new. Answers how many attempts failed so far. */
  retry(tx: Tx, link: LinkId, key: string, reason: string, notBefore: number): Promise<number>
  /**
   * Refused for good, or out of attempts: becomes a dead letter, for ever or until `reviveDue` is asked at `until` (wall
   * ms) or later. Also adds a key that was never queued.
   */
  bury(tx: Tx, link: LinkId, key: string, reason: string, until?: number): Promise<void>
  /** Makes dead letters pending again whose time has come; answers how many. */
  reviveDue(tx: Tx, link: LinkId, now: number): Promise<number>
  /** Makes dead letters pending again, all of the link or the given keys; answers how many. */
  revive(tx: Tx, link: LinkId, keys?: readonly string[]): Promise<number>
  /** Dead letters, newest first. */
  dead(tx: Tx, link: LinkId, limit: number): Promise<readonly OutboxItem[]>
  /** Of `keys`, those that are dead letters: what an upload leaves out. */
  deadAmong(tx: Tx, link: LinkId, keys: readonly string[]): Promise<ReadonlySet<string>>
  count(tx: Tx, link: LinkId): Promise<{ readonly pending: number; readonly dead: number }>
}
