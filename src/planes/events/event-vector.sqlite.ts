import { type ItemVector, ItemVectorBuilder } from '../../negentropy/item-vector.ts'
import { matchingBatches, type ReadScope } from './event-query.sqlite.ts'
import { TooManyRecords, type Visibility } from './event-store.ts'
import type { Filter } from './filter.ts'
import { canonicalFilter } from './filter-hash.ts'

export interface VectorRequest {
  readonly filter: Filter
  readonly visibility: Visibility
  /** More items than this: throws TooManyRecords. */
  readonly maxRecords: number
}

/** Items kept in all cached vectors together: about 20 MB. */
const maxCachedItems = 500_000
/** Vectors kept, however small: what one busy relay's peers ask for again and again. */
const maxCachedVectors = 64

interface Cached {
  readonly vector: ItemVector
  readonly generation: number
  /** Seconds; from then on an event in it may have expired. */
  readonly validUntil: number
}

/** Sets of filters that no maintained index answers: read through the best index once, kept while nothing changes. */
export class EventVectors {
  /** In order of use, least recent first. */
  readonly #cached = new Map<string, Cached>()
  #items = 0

  /**
   * @param generation of the stored set, taken before `scope` was opened: data may be newer than it says, never older
   * @param now seconds
   */
  async get(scope: ReadScope, request: VectorRequest, generation: number, now: number): Promise<ItemVector> {
    // What a guard lets through may be another set the next time.
    if (request.visibility.guard !== undefined) return build(scope, request)
    const key = cacheKey(request)
    const cached = this.#cached.get(key)
    if (cached !== undefined) {
      this.#drop(key, cached)
      if (cached.generation === generation && now < cached.validUntil) {
        this.#keep(key, cached)
        return withinMax(cached.vector, request.maxRecords)
      }
    }
    const vector = await build(scope, request)
    this.#keep(key, { vector, generation, validUntil: nextExpiration(scope, now) })
    return vector
  }

  clear(): void {
    this.#cached.clear()
    this.#items = 0
  }

  #keep(key: string, cached: Cached): void {
    if (cached.vector.size > maxCachedItems) return
    this.#cached.set(key, cached)
    this.#items += cached.vector.size
    for (const [oldest, entry] of this.#cached) {
      if (this.#items <= maxCachedItems && this.#cached.size <= maxCachedVectors) return
      this.#drop(oldest, entry)
    }
  }

  #drop(key: string, cached: Cached): void {
    this.#cached.delete(key)
    this.#items -= cached.vector.size
  }
}

async function build(
  scope: ReadScope,
  { filter, visibility, maxRecords }: VectorRequest,
): Promise<ItemVector> {
  const builder = new ItemVectorBuilder()
  for await (const rows of matchingBatches(scope, filter, visibility, 'any')) {
    if (builder.count + rows.length > maxRecords) throw new TooManyRecords(maxRecords)
    for (const { created_at, id } of rows) builder.add(created_at, id)
  }
  return builder.sealGradually(() => scope.slice.rest())
}

function withinMax(vector: ItemVector, max: number): ItemVector {
  if (vector.size > max) throw new TooManyRecords(max)
  return vector
}

function cacheKey({ filter, visibility }: VectorRequest): string {
  const { restrictedKinds, pubkeys } = visibility
  const { limit: _, ...set } = filter
  return JSON.stringify([canonicalFilter(set), restrictedKinds.toSorted(), pubkeys.toSorted()])
}

const nextExpirationSql = 'SELECT min(expiration) AS next FROM events WHERE expiration > ?'

function nextExpiration({ tx }: ReadScope, now: number): number {
  return Number(tx.prepare(nextExpirationSql).get(now)?.next ?? Number.POSITIVE_INFINITY)
}
