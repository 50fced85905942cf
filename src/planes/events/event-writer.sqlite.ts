import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent, ParsedEvent } from './event.ts'
import { bans } from './event-bans.sqlite.ts'
import { EventCursor, type KeyRow } from './event-cursor.sqlite.ts'
import { bytesOf, hexOf, tagKey, tagKeys } from './event-key.sqlite.ts'
import {
  deletedAddresses,
  deletedIds,
  deletion,
  expirationOf,
  firstValue,
  giftWrap,
  namesRelay,
  recipientsOf,
  vanishRequest,
} from './event-rules.ts'
import { rowByIdSql, stretchesOf } from './event-scan.sqlite.ts'
import type { PutOutcome } from './event-store.ts'
import { type Floor, loses, lowestId, tombstones } from './event-tombstones.sqlite.ts'
import { isAddressable, isEphemeral, isReplaceable } from './kind.ts'
import type { QueryPlan } from './query-plan.ts'
import { relayAddress } from './relay-address.ts'
import type { TimeSlice } from './time-slice.sqlite.ts'

export interface KeyChange {
  readonly sign: 1 | -1
  readonly created_at: number
  readonly id: string
  readonly kind: number
}

export interface PutResult {
  readonly outcome: PutOutcome
  /** 0 unless stored. */
  readonly seq: number
}

export interface PutContext {
  /** Unix seconds. */
  readonly now: number
  /** The peer that sent it, as its number. */
  readonly source?: number | undefined
  /** What changes in the stored set is appended here. */
  readonly changes: KeyChange[]
  readonly slice: TimeSlice
}

interface InsertedRow {
  readonly raw: string
  readonly expiration?: number | null | undefined
  readonly source?: number | null | undefined
}

/** One event on its way in, with what SQL compares it by. */
interface Incoming {
  readonly event: NostrEvent
  readonly id: Uint8Array
  readonly pubkey: Uint8Array
  /** The part of its address beside kind and author; undefined when every version stays (regular kinds). */
  readonly d: Uint8Array | undefined
  /** A request to vanish that names this relay. */
  readonly vanishes: boolean
}

interface Version extends Floor {
  readonly seq: number
  readonly expiration: number | null
}

/**
 * The rules of NIP-01, 09, 40 and 62, event by event, inside one transaction.
 *
 * Every verdict is of the form "there is (or was) an event that …", and each event leaves behind what it rules out
 * (tombstone, floor, vanish time) even when it is itself refused for the same reasons. That is what makes the
 * stored set independent of the order of arrival.
 */
export class EventWriter {
  readonly #addresses: ReadonlySet<string | undefined>

  /** @param relayUrls what this relay is known by; requests to vanish from other relays have no effect here */
  constructor(relayUrls: readonly string[]) {
    this.#addresses = new Set(relayUrls.map(relayAddress))
  }

  async put(
    tx: SqliteTx,
    { event, raw }: ParsedEvent,
    { now, source, changes, slice }: PutContext,
  ): Promise<PutResult> {
    const incoming = this.#incoming(event)
    const ephemeral = isEphemeral(event.kind)
    const expiration = ephemeral ? undefined : expirationOf(event)
    if (expiration !== undefined && expiration <= now) return refused('expired')
    const blocked = this.#blocked(tx, incoming, changes)
    if (blocked !== undefined) return refused(blocked)
    if (ephemeral) return refused('ephemeral')
    const lost = incoming.d === undefined ? undefined : this.#replace(tx, incoming, incoming.d, now, changes)
    if (lost !== undefined) return refused(lost)
    // Not left to a conflict of the INSERT: that would use up a seq, and `lastSeq` would name an event nobody finds.
    if (tx.prepare(rowByIdSql).get(incoming.id) !== undefined) return refused('duplicate')
    const seq = this.#insert(tx, incoming, { raw, expiration, source })
    changes.push({ sign: 1, created_at: event.created_at, id: event.id, kind: event.kind })
    if (event.kind === deletion) this.#delete(tx, incoming, changes)
    if (incoming.vanishes) await this.#vanish(tx, incoming, seq, changes, slice)
    return { outcome: 'stored', seq }
  }

  /** Removes one stored event and its tags. */
  remove(tx: SqliteTx, seq: number, changes: KeyChange[]): void {
    const sql = 'DELETE FROM events WHERE seq = ? RETURNING id, created_at, kind, raw'
    const row = tx.prepare(sql).get(seq) as unknown as (Omit<KeyRow, 'seq'> & { raw: string }) | undefined
    if (row === undefined) return
    const { tags } = JSON.parse(row.raw) as NostrEvent
    const removeTag = tx.prepare('DELETE FROM event_tags WHERE tag = ? AND created_at = ? AND id = ?')
    for (const key of tagKeys(tags)) removeTag.run(key, row.created_at, row.id)
    changes.push({ sign: -1, created_at: row.created_at, id: hexOf(row.id), kind: row.kind })
  }

  #incoming(event: NostrEvent): Incoming {
    const { kind } = event
    const addressed = isReplaceable(kind) || isAddressable(kind)
    return {
      event,
      id: bytesOf(event.id),
      pubkey: bytesOf(event.pubkey),
      d: addressed ? tagKey('d', isAddressable(kind) ? firstValue(event, 'd') : '') : undefined,
      vanishes: kind === vanishRequest && namesRelay(event, this.#addresses),
    }
  }

  #blocked(tx: SqliteTx, incoming: Incoming, changes: KeyChange[]): PutOutcome | undefined {
    const { event, id, pubkey, d } = incoming
    if (bans.isBanned(tx, id, pubkey)) return 'banned'
    const vanished = this.#vanished(tx, incoming)
    if (vanished !== undefined) {
      // Its author wanted these events gone in either order of the two requests.
      if (event.kind === deletion && vanished === 'vanished') this.#delete(tx, incoming, changes)
      return vanished
    }
    if (event.kind === deletion || event.kind === vanishRequest) return undefined
    if (deletersOf(incoming).some((author) => tombstones.isDeleted(tx, id, author))) {
      if (d !== undefined)
        this.#block(tx, event.kind, pubkey, d, { created_at: event.created_at, id }, changes)
      return 'deleted'
    }
    const floor = d === undefined ? undefined : tombstones.floor(tx, event.kind, pubkey, d)
    return floor === undefined || wins({ created_at: event.created_at, id }, floor) ? undefined : 'deleted'
  }

  #vanished(tx: SqliteTx, { event, id, pubkey, vanishes }: Incoming): PutOutcome | undefined {
    const upTo = tombstones.vanishedUpTo(tx, pubkey)
    if (event.created_at < upTo || (event.created_at === upTo && !vanishes)) return 'vanished'
    if (event.created_at === upTo) {
      // Two requests of one second: one stays, and which one must not depend on which came first.
      const sql = 'SELECT id FROM events WHERE pubkey = ? AND kind = ? AND created_at = ?'
      const kept = tx.prepare(sql).get(pubkey, vanishRequest, upTo) as { id: Uint8Array } | undefined
      const order = kept === undefined ? -1 : Buffer.compare(id, kept.id)
      return order === 0 ? 'duplicate' : order > 0 ? 'vanished' : undefined
    }
    if (event.kind !== giftWrap) return undefined
    const gone = recipientsOf(event).some(
      (key) => tombstones.vanishedUpTo(tx, bytesOf(key)) >= event.created_at,
    )
    return gone ? 'vanished' : undefined
  }

  /** Makes room for a newer version; answers the verdict when the stored one stays. */
  #replace(
    tx: SqliteTx,
    { event, id, pubkey }: Incoming,
    d: Uint8Array,
    now: number,
    changes: KeyChange[],
  ): PutOutcome | undefined {
    const stored = storedVersion(tx, event.kind, pubkey, d)
    if (stored === undefined) return undefined
    if (Buffer.compare(stored.id, id) === 0) return 'duplicate'
    const expired = stored.expiration !== null && stored.expiration <= now
    if (!expired && loses({ created_at: event.created_at, id }, stored)) return 'superseded'
    this.remove(tx, stored.seq, changes)
    return undefined
  }

  #insert(
    tx: SqliteTx,
    { event, id, pubkey, d }: Incoming,
    { raw, expiration = null, source = null }: InsertedRow,
  ): number {
    const { lastInsertRowid } = tx
      .prepare(insertSql)
      .run(id, pubkey, event.created_at, event.kind, d ?? null, expiration, raw, source)
    const insertTag = tx.prepare(insertTagSql)
    for (const key of tagKeys(event.tags))
      insertTag.run(key, event.created_at, id, event.kind, lastInsertRowid)
    return Number(lastInsertRowid)
  }

  /** NIP-09: what the deletion names and its author may delete goes now, or is refused when it comes. */
  #delete(tx: SqliteTx, { event, pubkey }: Incoming, changes: KeyChange[]): void {
    for (const id of deletedIds(event)) this.#deleteId(tx, bytesOf(id), event.pubkey, changes)
    for (const { kind, d } of deletedAddresses(event)) {
      const floor = { created_at: event.created_at, id: lowestId }
      this.#block(tx, kind, pubkey, tagKey('d', d), floor, changes)
    }
  }

  #deleteId(tx: SqliteTx, id: Uint8Array, deleter: string, changes: KeyChange[]): void {
    tombstones.deleteId(tx, id, bytesOf(deleter))
    const row = tx.prepare('SELECT seq, d, raw FROM events WHERE id = ?').get(id)
    if (row === undefined) return
    const event = JSON.parse(String(row.raw)) as NostrEvent
    if (event.kind === deletion || event.kind === vanishRequest) return
    const mayDelete =
      event.pubkey === deleter || (event.kind === giftWrap && recipientsOf(event).includes(deleter))
    if (!mayDelete) return
    const floor = { created_at: event.created_at, id }
    if (row.d === null) this.remove(tx, Number(row.seq), changes)
    else this.#block(tx, event.kind, bytesOf(event.pubkey), row.d as Uint8Array, floor, changes)
  }

  /** Removes the stored version of an address unless it wins against `floor`, and keeps such versions out. */
  #block(
    tx: SqliteTx,
    kind: number,
    pubkey: Uint8Array,
    d: Uint8Array,
    floor: Floor,
    changes: KeyChange[],
  ): void {
    tombstones.raiseFloor(tx, kind, pubkey, d, floor)
    const stored = storedVersion(tx, kind, pubkey, d)
    if (stored !== undefined && !wins(stored, floor)) this.remove(tx, stored.seq, changes)
  }

  /** NIP-62: everything of the author up to the request goes, except the request; gift wraps to the author too. */
  async #vanish(
    tx: SqliteTx,
    { event, pubkey }: Incoming,
    kept: number,
    changes: KeyChange[],
    slice: TimeSlice,
  ): Promise<void> {
    tombstones.vanish(tx, pubkey, event.created_at)
    const times = { since: 0, until: event.created_at, kinds: undefined, needsEvent: false }
    const own: QueryPlan = { access: { by: 'author', authors: [event.pubkey], kinds: undefined }, ...times }
    const wraps: QueryPlan = { access: { by: 'tag', letter: 'p', values: [event.pubkey] }, ...times }
    const isWrap = (row: KeyRow) => row.kind === giftWrap
    await this.#removeAll(tx, own, (row) => row.seq !== kept, changes, slice)
    await this.#removeAll(tx, wraps, isWrap, changes, slice)
  }

  async #removeAll(
    tx: SqliteTx,
    plan: QueryPlan,
    goes: (row: KeyRow) => boolean,
    changes: KeyChange[],
    slice: TimeSlice,
  ): Promise<void> {
    for (const stretch of stretchesOf(tx, plan)) {
      const cursor = new EventCursor(tx, stretch, 'desc', undefined, 64)
      for (let row = cursor.head; row !== undefined; row = cursor.head) {
        if (goes(row)) this.remove(tx, row.seq, changes)
        cursor.advance()
        if (slice.spent) await slice.rest()
      }
    }
  }
}

const insertSql =
  'INSERT INTO events (id, pubkey, created_at, kind, d, expiration, raw, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
const insertTagSql = 'INSERT INTO event_tags (tag, created_at, id, kind, seq) VALUES (?, ?, ?, ?, ?)'
const refused = (outcome: PutOutcome): PutResult => ({ outcome, seq: 0 })

function wins(a: Floor, b: Floor): boolean {
  return loses(b, a)
}

function storedVersion(tx: SqliteTx, kind: number, pubkey: Uint8Array, d: Uint8Array): Version | undefined {
  const sql = 'SELECT seq, id, created_at, expiration FROM events WHERE kind = ? AND pubkey = ? AND d = ?'
  return tx.prepare(sql).get(kind, pubkey, d) as Version | undefined
}

/** Who may delete the event: its author, and who a gift wrap is addressed to, as its author is a throw-away key. */
function deletersOf({ event, pubkey }: Incoming): Uint8Array[] {
  return event.kind === giftWrap ? [pubkey, ...recipientsOf(event).map(bytesOf)] : [pubkey]
}
