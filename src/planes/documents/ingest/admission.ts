import type { DocumentError, DocumentErrorCode } from '../document-error.ts'
import type { DocumentLimits } from '../document-limits.ts'
import { databaseOf, type SealedEntry } from '../entry/entry.ts'
import { compareIds, type DatabaseId, type EntryId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { History } from '../history/history.ts'
import type { Lineage } from '../history/lineage.ts'
import type { CanonicalKey, DocumentBatch, Want } from '../storage/document-storage.ts'
import { type CheckedEntry, refusal } from './entry-checker.ts'
import type { Advance, IngestOutcome, IngestResult } from './ingest-result.ts'
import type { Judge, Signed } from './judge.ts'

/** Ids refused lately, so that what builds on them is refused at once instead of being held for nothing. */
export class RefusedIds {
  readonly #ids = new Set<EntryId>()
  readonly #max = 10_000

  has(id: EntryId): boolean {
    return this.#ids.has(id)
  }

  add(id: EntryId): void {
    if (this.#ids.size >= this.#max) this.#ids.delete(this.#ids.keys().next().value!)
    this.#ids.add(id)
  }
}

export interface AdmissionParts {
  readonly history: History
  readonly judge: Judge
  readonly limits: DocumentLimits
  readonly refused: RefusedIds
}

/**
 * Takes checked entries into one batch: parents before children, each judged once everything it builds on is verified.
 * What comes too early is held, within bounds, and judged when the rest arrives. Nothing that was judged bad is stored.
 */
export class Admission {
  readonly #parts: AdmissionParts
  readonly #batch: DocumentBatch
  /** Known to be verified: before, or in this batch. */
  readonly #verified = new Set<EntryId>()
  /** Of what was handed in, and held by now with whatever status. */
  #present: Set<EntryId> = new Set()
  readonly #advanced = new Map<DatabaseId, Omit<Advance, 'after'> & { readonly verified: CanonicalKey[] }>()
  readonly #held = new Map<DatabaseId, number>()
  readonly #released: EntryId[] = []
  readonly #failed: EntryId[] = []
  readonly #signers = new Map<EntryId, PublicKey | undefined>()

  constructor(batch: DocumentBatch, parts: AdmissionParts) {
    this.#batch = batch
    this.#parts = parts
  }

  /** @param only the database they must belong to, where one was asked for */
  admit(entries: readonly CheckedEntry[], only?: DatabaseId): IngestResult {
    const outcomes: IngestOutcome[] = new Array(entries.length)
    const order: { readonly index: number; readonly signed: Signed }[] = []
    for (const [index, entry] of entries.entries()) {
      if (entry.kind === 'checked') order.push({ index, signed: entry })
      else outcomes[index] = entry.kind === 'known' ? { kind: 'duplicate', id: entry.id } : entry
    }
    order.sort(({ signed: { sealed: a } }, { signed: { sealed: b } }) => {
      return a.entry.height - b.entry.height || compareIds(a.id, b.id)
    })
    this.#present = new Set(this.#batch.present(order.map(({ signed }) => signed.sealed.id)))
    for (const { index, signed } of order) outcomes[index] = this.#place(signed, only)
    this.#forgetFailed()
    this.#batch.flush()
    return { outcomes, released: this.#released, failed: this.#failed, advances: this.#advances() }
  }

  #place(signed: Signed, only: DatabaseId | undefined): IngestOutcome {
    const { sealed } = signed
    const { id } = sealed
    const database = databaseOf(sealed)
    if (only !== undefined && database !== only)
      return this.#refuse(id, 'document/foreign', 'it belongs to another database')
    if (this.#present.has(id)) return { kind: 'duplicate', id }
    if (database !== id && !this.#isVerified(database))
      return this.#refuse(id, 'document/unknown-database', 'the root of its database is not here')
    const missing = sealed.entry.parents.filter((parent) => !this.#isVerified(parent))
    if (
      missing.some((parent) => this.#parts.refused.has(parent) || this.#batch.status(parent) === 'failed')
    ) {
      this.#parts.refused.add(id)
      return this.#refuse(id, 'document/parent-refused', 'a parent of it was refused')
    }
    if (missing.length > 0)
      return this.#hold(
        signed,
        missing.map((parent) => ({ database, id: parent })),
      )
    const verdict = this.#parts.judge.judge(this.#batch, signed)
    if (verdict.kind === 'wanting') return this.#hold(signed, verdict.wants)
    if (verdict.kind === 'invalid') {
      if (isFinal(verdict.error)) this.#reject(id)
      return refusal(id, verdict.error)
    }
    this.#touch(database)
    this.#batch.add(sealed, 'verified')
    this.#present.add(id)
    this.#accept(sealed, verdict.lineage)
    return { kind: 'verified', id }
  }

  #hold(signed: Signed, wants: readonly Want[]): IngestOutcome {
    const { sealed } = signed
    const { id } = sealed
    const database = databaseOf(sealed)
    const { maxHeld } = this.#parts.limits
    const held = this.#held.get(database) ?? this.#batch.heldCount(database)
    if (held >= maxHeld)
      return this.#refuse(id, 'document/too-many-orphans', `${maxHeld} entries of its database wait already`)
    this.#held.set(database, held + 1)
    this.#batch.add(sealed, 'unverified')
    this.#present.add(id)
    this.#batch.setWants(id, wants)
    this.#signers.set(id, signed.signer)
    return { kind: 'held', id }
  }

  /** Judges again what is held in a database. */
  recheck(database: DatabaseId): IngestResult {
    for (const { id } of this.#batch.listByStatus(database, 'unverified')) this.#settle([id])
    this.#forgetFailed()
    this.#batch.flush()
    return { outcomes: [], released: this.#released, failed: this.#failed, advances: this.#advances() }
  }

  #accept(sealed: SealedEntry, lineage: Lineage): void {
    this.#note(sealed, lineage)
    this.#settle(this.#batch.waitingFor(sealed.id))
  }

  /** Judges held entries whose turn may have come, and those that waited for them. Iterative: the chain may be long. */
  #settle(ids: readonly EntryId[]): void {
    const stack = [...ids]
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      const held = this.#batch.held(id)
      if (held === undefined || held.status !== 'unverified') continue
      const missing = held.sealed.entry.parents.filter((parent) => !this.#isVerified(parent))
      if (missing.length > 0) {
        this.#batch.setWants(
          id,
          missing.map((parent) => ({ database: held.database, id: parent })),
        )
        continue
      }
      const verdict = this.#parts.judge.judge(this.#batch, {
        sealed: held.sealed,
        signer: this.#signers.get(id),
      })
      if (verdict.kind === 'wanting') this.#batch.setWants(id, verdict.wants)
      else if (verdict.kind === 'invalid') {
        if (isFinal(verdict.error)) this.#fail(id)
      } else {
        const waiting = this.#batch.waitingFor(id)
        this.#touch(held.database)
        this.#batch.decide(id, 'verified')
        this.#note(held.sealed, verdict.lineage)
        this.#released.push(id)
        stack.push(...waiting)
      }
    }
  }

  #note(sealed: SealedEntry, lineage: Lineage): void {
    const { id, entry } = sealed
    this.#verified.add(id)
    this.#advanced.get(databaseOf(sealed))!.verified.push({ height: entry.height, id })
    this.#parts.history.lineages.record(this.#batch, sealed.id, sealed.entry, lineage)
  }

  /** Remembers the frontier before this batch moves it. */
  #touch(database: DatabaseId): void {
    if (this.#advanced.has(database)) return
    this.#advanced.set(database, { database, before: this.#batch.tips(database), verified: [] })
  }

  /** Refused for good, and with it whatever was waiting for it. */
  #reject(id: EntryId): void {
    this.#parts.refused.add(id)
    for (const child of this.#batch.waitingFor(id)) this.#fail(child)
  }

  #fail(first: EntryId): void {
    const stack = [first]
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (this.#batch.status(id) !== 'unverified') continue
      stack.push(...this.#batch.waitingFor(id))
      this.#batch.decide(id, 'failed')
      this.#failed.push(id)
    }
  }

  /** What failed is kept to recognise a copy of it, but not without bound. */
  #forgetFailed(): void {
    const databases = new Set(this.#failed.map((id) => this.#batch.held(id)!.database))
    for (const database of databases) {
      const failed = this.#batch.listByStatus(database, 'failed')
      const surplus = failed.length - this.#parts.limits.maxFailed
      for (const { id } of failed.slice(0, Math.max(0, surplus))) this.#batch.drop(id)
    }
  }

  #advances(): Advance[] {
    return [...this.#advanced.values()].map((advance) => {
      return { ...advance, after: this.#batch.tips(advance.database) }
    })
  }

  #isVerified(id: EntryId): boolean {
    if (this.#verified.has(id)) return true
    if (this.#batch.status(id) !== 'verified') return false
    this.#verified.add(id)
    return true
  }

  #refuse(id: EntryId, code: DocumentErrorCode, why: string): IngestOutcome {
    return { kind: 'refused', id, code, message: `the entry is refused: ${why}` }
  }
}

/** What time may heal is not remembered against an entry. */
function isFinal({ code }: DocumentError): boolean {
  return code !== 'document/too-new'
}
