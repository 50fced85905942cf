import { DocumentError } from '../../document-error.ts'
import { compareIds, type DatabaseId, type EntryId } from '../../entry/entry-id.ts'
import type { KeyPair } from '../../entry/key-pair.ts'
import { treeDag } from '../../history/dag.ts'
import { maximal } from '../../history/walk.ts'
import type { Instance } from '../../instance.ts'
import { type CanonicalKey, compareKeys } from '../../storage/document-storage.ts'
import { type EntryPage, EntryPages, type PageLimits } from '../entry-pages.ts'
import type { LinkStates } from '../records/link-states.ts'
import type { SyncAddress } from '../sync-address.ts'
import type { SyncTreeResponse } from '../wire/response.ts'
import { commonFrontier } from './common-frontier.ts'
import type { PeerClient, PeerTarget } from './peer-client.ts'

export interface TreeSyncParts {
  readonly instance: Instance
  readonly client: PeerClient
  readonly states: LinkStates
  readonly pages?: PageLimits | undefined
}

export interface TreeSyncOptions {
  readonly tree: DatabaseId
  readonly target: PeerTarget
  readonly access?: KeyPair | undefined
  /** Where we can be reached. */
  readonly addresses: readonly SyncAddress[]
  readonly signal?: AbortSignal | undefined
}

/** What an exchange moved, also one that failed half-way: whatever arrived is kept. */
export interface Transfer {
  received: number
  sent: number
  requests: number
  bytes: number
}

/** Whoever writes all the time is never equal to anybody; the next exchange goes on where this one ends. */
const maxRounds = 8
/** Pages that are verified or written at a time, while one more is on its way: what an exchange takes of memory. */
const maxPagesAhead = 2

/**
 * Brings one database in step with one peer, both ways. Where the two agreed before, it takes one round trip. Whatever is
 * received is judged and durable page by page, so one that is cut off goes on where it was.
 */
export class TreeSync {
  readonly #parts: TreeSyncParts
  readonly #options: TreeSyncOptions
  readonly #pages: EntryPages
  readonly #transfer: Transfer
  /** Our entries the peer did not take when they were last offered. */
  #refused = 0

  constructor(parts: TreeSyncParts, options: TreeSyncOptions, transfer: Transfer) {
    this.#parts = parts
    this.#options = options
    this.#pages = new EntryPages(parts.pages)
    this.#transfer = transfer
  }

  /**
   * Answers the frontier that both hold in the end; nobody but the caller has noted it.
   *
   * @throws DocumentError `document/sync-incomplete` when the two are not equal in the end, and what `PeerClient.ask`
   *   throws
   */
  async run(): Promise<readonly EntryId[]> {
    const { tree, target } = this.#options
    const { states } = this.#parts
    const agreed = (await states.get(target.peer, tree)).agreed
    let base = await this.#held(agreed)
    for (let round = 0; round < maxRounds; round++) {
      const ours = await this.#tips()
      const answer = await this.#offer(ours, base)
      if (answer.known) {
        const last = await this.#take(ours, answer)
        if (await this.#isHeld(last.tips)) return await this.#joined(ours, last.tips)
        base = await this.#held(last.tips)
        continue
      }
      if (ours.length > 0 && (await this.#isHeld(answer.tips))) {
        base = answer.tips
        if (round > 0 && this.#refused > 0) break
        continue
      }
      const common = await this.#search()
      const last = await this.#take(common, await this.#request(common, []))
      base = await this.#held(last.tips)
    }
    const refused = this.#refused === 0 ? 'both keep changing' : `the peer refused ${this.#refused} entries`
    throw new DocumentError('document/sync-incomplete', `${tree} is not equal on both sides yet: ${refused}`)
  }

  /** Sends what we have beyond `base`, the last page of it together with the question what we lack. */
  async #offer(ours: readonly EntryId[], base: readonly EntryId[]): Promise<SyncTreeResponse> {
    this.#refused = 0
    for (let after: CanonicalKey | undefined; ; ) {
      const page: EntryPage =
        base.length === 0 ? { entries: [], next: undefined } : await this.#page(ours, base, after)
      const more = page.next !== undefined
      const answer = await this.#request(ours, page.entries, { more })
      this.#transfer.sent += page.entries.length
      this.#refused += answer.refused.length
      if (page.next === undefined) return answer
      after = page.next
    }
  }

  /** Takes all pages of an answer; answers the last. A page comes while those before it are verified and written. */
  async #take(asked: readonly EntryId[], first: SyncTreeResponse): Promise<SyncTreeResponse> {
    const pages: Promise<void>[] = []
    let answer = first
    try {
      for (;;) {
        const { next, entries } = answer
        const coming = next === undefined ? undefined : this.#following(asked, next)
        // Whichever fails is heard of when it is waited for.
        coming?.catch(() => {})
        if (entries.length > 0) {
          const page = this.#ingest(entries, pages.at(-1))
          page.catch(() => {})
          pages.push(page)
        }
        if (coming === undefined) break
        if (pages.length >= maxPagesAhead) await pages.shift()
        answer = await coming
      }
      await pages.at(-1)
    } finally {
      // None is left running when the exchange is over.
      await Promise.allSettled(pages)
    }
    return answer
  }

  async #following(asked: readonly EntryId[], after: CanonicalKey): Promise<SyncTreeResponse> {
    const answer = await this.#request(asked, [], { after })
    if (answer.next !== undefined && compareKeys(answer.next, after, compareIds) <= 0)
      throw new DocumentError('document/peer-protocol', 'the peer broke the protocol: its pages go backwards')
    return answer
  }

  /** Verified while the page before is still being written; judged and written after it. */
  async #ingest(entries: readonly Uint8Array[], before: Promise<void> | undefined): Promise<void> {
    const { instance } = this.#parts
    const { tree, signal } = this.#options
    const [checked] = await Promise.all([instance.check(entries, signal), before])
    const { outcomes } = await instance.admit(checked, tree, signal)
    this.#transfer.received += outcomes.filter(({ kind }) => kind === 'verified').length
    if ((await this.#tips()).length === 0)
      throw new DocumentError('document/peer-protocol', `the peer broke the protocol: it sent no ${tree}`)
  }

  async #request(
    tips: readonly EntryId[],
    entries: readonly Uint8Array[],
    { after, more = false }: { readonly after?: CanonicalKey; readonly more?: boolean } = {},
  ): Promise<SyncTreeResponse> {
    const { tree, target, access, addresses, signal } = this.#options
    return await this.#parts.client.ask(
      target,
      {
        type: 'sync',
        tree,
        // While entries are still to come, the peer can say nothing of our tips yet.
        tips: more ? [] : [...tips],
        ...(more ? { more } : {}),
        ...(after === undefined ? {} : { after }),
        ...(entries.length === 0 ? {} : { entries: [...entries] }),
        ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
      },
      { access, signal, onBytes: (bytes) => this.#count(bytes) },
    )
  }

  #search(): Promise<readonly EntryId[]> {
    const { tree, target, access, signal } = this.#options
    const { client, instance } = this.#parts
    return commonFrontier(instance, tree, async (message) => {
      const options = { access, signal, onBytes: (bytes: number) => this.#count(bytes) }
      return (await client.ask(target, { type: 'reconcile', tree, message }, options)).message
    })
  }

  #count(bytes: number): void {
    this.#transfer.requests += 1
    this.#transfer.bytes += bytes
  }

  #page(
    tips: readonly EntryId[],
    base: readonly EntryId[],
    after: CanonicalKey | undefined,
  ): Promise<EntryPage> {
    const { tree } = this.#options
    return this.#parts.instance.read((view) => this.#pages.page(view, tree, tips, base, after))
  }

  #tips(): Promise<readonly EntryId[]> {
    return this.#parts.instance.read((view) => view.tips(this.#options.tree))
  }

  #joined(ours: readonly EntryId[], theirs: readonly EntryId[]): Promise<readonly EntryId[]> {
    const { tree } = this.#options
    return this.#parts.instance.read((view) => maximal(treeDag(view, tree), [...ours, ...theirs]))
  }

  /** Of these, the ones that are verified here. */
  #held(ids: readonly EntryId[]): Promise<readonly EntryId[]> {
    return this.#parts.instance.read((view) => {
      const dag = treeDag(view, this.#options.tree)
      return ids.filter((id) => dag.node(id) !== undefined)
    })
  }

  async #isHeld(ids: readonly EntryId[]): Promise<boolean> {
    return (await this.#held(ids)).length === ids.length
  }
}
