import { NegentropyError, Responder as RangeResponder } from '../../../../negentropy/index.ts'
import type { Database } from '../../database.ts'
import type { DatabaseId } from '../../entry/entry-id.ts'
import type { PublicKey } from '../../entry/key-pair.ts'
import { treeDag } from '../../history/dag.ts'
import type { IngestResult } from '../../ingest/ingest-result.ts'
import type { Instance } from '../../instance.ts'
import { mayRead } from '../access.ts'
import { EntryPages, type PageLimits } from '../entry-pages.ts'
import type { LinkStates } from '../records/link-states.ts'
import type { PeerRecords } from '../records/peer-records.ts'
import type { SyncWishes } from '../records/sync-wishes.ts'
import type { SyncAddress } from '../sync-address.ts'
import type { Requester } from '../wire/envelope.ts'
import type { ReconcileRequest, SyncTreeRequest } from '../wire/request.ts'
import type { ResponseOf, SyncTreeResponse } from '../wire/response.ts'
import { notFound, WireRefusal } from './wire-refusal.ts'

export interface SharedTreesParts {
  readonly instance: Instance
  readonly wishes: SyncWishes
  readonly peers: PeerRecords
  readonly states: LinkStates
  readonly pages?: PageLimits | undefined
  /** Peers known, beyond which whoever asks is served and not remembered: keys cost nothing to make. Default 10,000. */
  readonly maxPeers?: number | undefined
}

const maxReported = 100

/** The databases this node shares, to those who may read them. */
export class SharedTrees {
  readonly #parts: SharedTreesParts
  readonly #pages: EntryPages

  constructor(parts: SharedTreesParts) {
    this.#parts = parts
    this.#pages = new EntryPages(parts.pages)
  }

  /** A database that is here and shared; of any other the requester learns nothing. Throws `WireRefusal`. */
  async shared(tree: DatabaseId): Promise<Database> {
    const { instance, wishes } = this.#parts
    const { syncEnabled } = await wishes.of(tree)
    if (!syncEnabled || (await instance.read((view) => view.tips(tree).length === 0))) throw notFound()
    return await instance.database(tree)
  }

  async list({ key }: Requester): Promise<ResponseOf<'trees'>> {
    const trees: ResponseOf<'trees'>['trees'] = []
    for (const [tree, { syncEnabled }] of await this.#parts.wishes.all()) {
      if (!syncEnabled || trees.length >= 10_000) continue
      const tips = await this.#parts.instance.read((view) => view.tips(tree))
      if (tips.length === 0) continue
      const database = await this.#parts.instance.database(tree)
      if (await mayRead(database, key)) trees.push({ tree, tips: [...tips] })
    }
    return { type: 'trees', trees }
  }

  async sync(
    requester: Requester,
    request: SyncTreeRequest,
    signal: AbortSignal | undefined,
  ): Promise<SyncTreeResponse> {
    const { tree, tips, after, entries = [], more = false } = request
    await this.#readable(tree, requester)
    await this.#relate(requester.device, tree, request.addresses)
    const taken = entries.length === 0 ? undefined : await this.#parts.instance.ingest(entries, tree, signal)
    const answer = await this.#parts.instance.read((view) => {
      const ours = view.tips(tree)
      const missing = view.wanted(tree, maxReported)
      const dag = treeDag(view, tree)
      // Of another database is as unknown as not here at all: a tip proves nothing and opens nothing.
      const known = tips.every((tip) => dag.node(tip) !== undefined)
      const page = known && !more ? this.#pages.page(view, tree, ours, tips, after) : undefined
      return { known, ours, missing, page }
    })
    if (answer.known && tips.length > 0 && this.#parts.peers.isRelated(requester.device, tree))
      await this.#parts.states.agree(requester.device, tree, tips)
    const { page } = answer
    return {
      type: 'sync',
      known: answer.known,
      tips: [...answer.ours],
      entries: [...(page?.entries ?? [])],
      ...(page?.next === undefined ? {} : { next: page.next }),
      refused: refusedIn(taken),
      missing: [...answer.missing],
    }
  }

  async reconcile(
    requester: Requester,
    { tree, message }: ReconcileRequest,
  ): Promise<ResponseOf<'reconcile'>> {
    await this.#readable(tree, requester)
    using set = await this.#parts.instance.entrySet(tree)
    const reply = await set.use((items) => {
      // Nothing is kept between two messages, so a requester that stays away costs nothing.
      try {
        return new RangeResponder(items).step(message).reply
      } catch (error) {
        if (error instanceof NegentropyError) throw new WireRefusal('bad-request', error.message)
        throw error
      }
    })
    return { type: 'reconcile', message: reply }
  }

  async #readable(tree: DatabaseId, { key }: Requester): Promise<Database> {
    const database = await this.shared(tree)
    if (!(await mayRead(database, key)))
      throw new WireRefusal('denied', 'the key may not read this database; ask for access')
    return database
  }

  /** Only of a device that is proven and may read: nobody else becomes somebody we push to. */
  async #relate(device: PublicKey, tree: DatabaseId, addresses: readonly SyncAddress[] = []): Promise<void> {
    const { peers, maxPeers = 10_000 } = this.#parts
    if (peers.peer(device) === undefined) {
      if (peers.count >= maxPeers) return
      await peers.register(device)
    }
    if (addresses.length > 0) await peers.addAddresses(device, addresses)
    await peers.relate(device, tree)
  }
}

function refusedIn(taken: IngestResult | undefined): SyncTreeResponse['refused'] {
  const refused: SyncTreeResponse['refused'] = []
  for (const outcome of taken?.outcomes ?? []) {
    if (outcome.kind !== 'refused' || refused.length >= maxReported) continue
    refused.push(outcome.id === undefined ? { code: outcome.code } : { id: outcome.id, code: outcome.code })
  }
  return refused
}
