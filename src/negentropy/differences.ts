import { idSize } from './id.ts'
import { equalIds, IdSet } from './id-set.ts'
import { NegentropyError } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'

/** Own ids copied at a time. */
const chunkItems = 1024

/** Shorter lists are compared one by one; a table would cost more than it saves. */
const shortList = 16

/** Own items that lists may cover in one session, in sizes of the own set: honest peers list each range once. */
const maxCoverage = 4

/** Free items on top, so that small sets never meet the cap. */
const freeCoverage = 100_000

/** What an initiator learned: each id is handed out once per session, however often the peer repeats itself. */
export class Differences {
  readonly #set: OrderedSet
  readonly #random: () => number
  readonly #maxNeed: number
  readonly #have: IdSet
  readonly #need: IdSet
  readonly #chunk = new Uint8Array(chunkItems * idSize)
  #covered = 0
  #reportedHave = 0
  #reportedNeed = 0

  constructor(set: OrderedSet, random: () => number, maxNeed: number) {
    this.#set = set
    this.#random = random
    this.#maxNeed = maxNeed
    this.#have = new IdSet(random)
    this.#need = new IdSet(random)
  }

  /** Distinct ids learned so far. */
  get total(): number {
    return this.#have.size + this.#need.size
  }

  /** Compares the own items [begin, end) with the peer's list of `count` ids for the same range. */
  compare(begin: number, end: number, list: Uint8Array, offset: number, count: number): void {
    this.#covered += end - begin
    if (this.#covered > maxCoverage * this.#set.size + freeCoverage)
      throw new NegentropyError('negentropy/no-progress', 'the peer lists the same ranges again and again')
    const listed = this.#listed(list, offset, count)
    const matched = new Uint8Array(count)
    for (let from = begin; from < end; from += chunkItems) {
      const to = Math.min(end, from + chunkItems)
      this.#set.copyIds(from, to, this.#chunk, 0)
      for (let at = 0; at < (to - from) * idSize; at += idSize) {
        const index = listed.indexOf(this.#chunk, at)
        if (index < 0) this.#have.add(this.#chunk, at)
        else matched[index] = 1
      }
    }
    // Asking for the index again keeps a list right that mentions an id twice.
    for (let at = offset; at < offset + count * idSize; at += idSize)
      if (matched[listed.indexOf(list, at)] === 0) this.#need.add(list, at)
    if (this.#need.size > this.#maxNeed)
      throw new NegentropyError('negentropy/too-many-ids', `the peer listed more than ${this.#maxNeed} ids`)
  }

  #listed(list: Uint8Array, offset: number, count: number): Listed {
    if (count <= shortList) return new ShortList(list, offset, count)
    const table = new IdSet(this.#random, count)
    for (let i = 0; i < count; i++) table.add(list, offset + i * idSize)
    return table
  }

  /** Ids learned since the last call. */
  drain(): { have: string[]; need: string[] } {
    const have: string[] = []
    const need: string[] = []
    while (this.#reportedHave < this.#have.size) have.push(this.#have.at(this.#reportedHave++))
    while (this.#reportedNeed < this.#need.size) need.push(this.#need.at(this.#reportedNeed++))
    return { have, need }
  }
}

/** Finds an id of a list: its number, or -1. */
interface Listed {
  indexOf(bytes: Uint8Array, offset: number): number
}

class ShortList implements Listed {
  readonly #list: Uint8Array
  readonly #offset: number
  readonly #count: number

  constructor(list: Uint8Array, offset: number, count: number) {
    this.#list = list
    this.#offset = offset
    this.#count = count
  }

  indexOf(bytes: Uint8Array, offset: number): number {
    for (let i = 0; i < this.#count; i++)
      if (equalIds(this.#list, this.#offset + i * idSize, bytes, offset)) return i
    return -1
  }
}
