import {
  type ChildClaim,
  type Declaration,
  isNewer,
  type Layer,
  type Profile,
  type Revision,
} from './profile.ts'
import { UnattachedChildren } from './unattached-children.ts'

/** What one relay is wanted for: per layer of the profile, the values to ask about. A layer per peer has the one value ''. */
export type Want = ReadonlyMap<string, ReadonlySet<string>>

export interface WantIndexOptions {
  readonly profile: Profile
  /** The one spelling of a relay an event names; undefined for what is none, or is this node itself. */
  readonly canonical: (url: string) => string | undefined
}

/** What was left out because a bound was reached or a text made no sense, by reason. */
export interface LeftOut {
  peers: number
  badPeers: number
  subjects: number
  children: number
}

interface Subject {
  readonly author: string
  revision: Revision
  level: number
  peers: ReadonlySet<string>
  readonly children: Set<string>
}

/**
 * What should be mirrored and from where: the first of the three indexes. It holds for a subject what the newest of its
 * declarations says, never a union of them, so that a relay that is dropped is no longer wanted.
 *
 * Feeding it the same events in any order leaves the same index, as long as no bound is reached.
 */
export class WantIndex {
  readonly #options: WantIndexOptions
  readonly #subjects = new Map<string, Subject>()
  readonly #byAuthor = new Map<string, number>()
  /** Ids of what declares or belongs to a subject, and in how many places: what a deletion has to be looked up for. */
  readonly #ids = new Map<string, number>()
  readonly #unattached: UnattachedChildren
  readonly leftOut: LeftOut = { peers: 0, badPeers: 0, subjects: 0, children: 0 }

  constructor(options: WantIndexOptions) {
    this.#options = options
    this.#unattached = new UnattachedChildren(options.profile.bounds.unattachedChildren)
  }

  get size(): number {
    return this.#subjects.size
  }

  has(subject: string): boolean {
    return this.#subjects.has(subject)
  }

  /** The subject's relays, empty when it is not wanted. */
  peersOf(subject: string): ReadonlySet<string> {
    return this.#subjects.get(subject)?.peers ?? new Set()
  }

  childrenOf(subject: string): ReadonlySet<string> {
    return this.#subjects.get(subject)?.children ?? new Set()
  }

  levelOf(subject: string): string | undefined {
    const subject_ = this.#subjects.get(subject)
    return subject_ && this.#options.profile.levels[subject_.level]
  }

  /**
   * Takes a declaration in. An older revision changes nothing; an equal one can only raise the level (what was held is now
   * accepted).
   *
   * @param author who signed it: what one author may declare is bounded
   * @returns whether anything changed
   */
  declare({ subject: key, revision, level, peers }: Declaration, author: string): boolean {
    const { profile } = this.#options
    const rank = profile.levels.indexOf(level)
    if (rank < 0) throw new RangeError(`the profile ${profile.name} has no level "${level}"`)
    const known = this.#subjects.get(key)
    if (known === undefined)
      return this.#add(key, author, { revision, level: rank, peers: this.#peers(peers) })
    if (isNewer(known.revision, revision)) return false
    const isSame = known.revision[1] === revision[1]
    if (isSame && rank <= known.level) return false
    known.level = isSame ? Math.max(rank, known.level) : rank
    if (isSame) return true
    this.#forget(known.revision[1])
    this.#remember(revision[1])
    known.revision = revision
    known.peers = this.#peers(peers)
    return true
  }

  /** A subject that is no longer declared: deleted, expired, or no longer ours. False when it was not wanted. */
  withdraw(key: string): boolean {
    const subject = this.#subjects.get(key)
    if (subject === undefined) return false
    this.#subjects.delete(key)
    for (const id of [subject.revision[1], ...subject.children]) this.#forget(id)
    const left = (this.#byAuthor.get(subject.author) ?? 1) - 1
    if (left === 0) this.#byAuthor.delete(subject.author)
    else this.#byAuthor.set(subject.author, left)
    return true
  }

  /** Takes a claim in; for subjects not declared yet it waits, bounded. @returns whether anything changed */
  claim({ child, subjects }: ChildClaim): boolean {
    let changed = false
    for (const key of subjects) {
      const subject = this.#subjects.get(key)
      if (subject === undefined) this.#unattached.add(key, child)
      else changed = this.#attach(subject, child) || changed
    }
    return changed
  }

  /** Whether the index rests on this event. */
  mentions(id: string): boolean {
    return this.#ids.has(id)
  }

  /** Whether this author declared anything that is wanted. */
  knows(author: string): boolean {
    return this.#byAuthor.has(author)
  }

  /** The wanted set of every relay (specs §3.2), from scratch: nothing of it is remembered between two calls. */
  derive(): Map<string, Want> {
    const { layers } = this.#options.profile
    const wants = new Map<string, Map<string, Set<string>>>()
    for (const [key, subject] of this.#subjects) {
      for (const url of subject.peers) {
        const want = wants.get(url) ?? new Map<string, Set<string>>()
        wants.set(url, want)
        for (const layer of layers) {
          if (subject.level < this.#rank(layer.level)) continue
          const values = valuesOf(layer, key, subject)
          const known = want.get(layer.name)
          if (known === undefined) want.set(layer.name, new Set(values))
          else for (const value of values) known.add(value)
        }
      }
    }
    return wants
  }

  #rank(level: string | undefined): number {
    return level === undefined ? 0 : this.#options.profile.levels.indexOf(level)
  }

  #add(key: string, author: string, parts: Pick<Subject, 'revision' | 'level' | 'peers'>): boolean {
    const { bounds } = this.#options.profile
    const ofAuthor = this.#byAuthor.get(author) ?? 0
    if (this.#subjects.size >= bounds.subjects || ofAuthor >= bounds.subjectsPerAuthor) {
      this.leftOut.subjects++
      return false
    }
    const subject: Subject = { author, ...parts, children: new Set() }
    this.#subjects.set(key, subject)
    this.#byAuthor.set(author, ofAuthor + 1)
    this.#remember(parts.revision[1])
    for (const child of this.#unattached.take(key)) this.#attach(subject, child)
    return true
  }

  #attach({ children }: Subject, child: string): boolean {
    if (children.has(child)) return false
    if (children.size >= this.#options.profile.bounds.childrenPerSubject) {
      this.leftOut.children++
      return false
    }
    children.add(child)
    this.#remember(child)
    return true
  }

  #remember(id: string): void {
    this.#ids.set(id, (this.#ids.get(id) ?? 0) + 1)
  }

  #forget(id: string): void {
    const left = (this.#ids.get(id) ?? 1) - 1
    if (left === 0) this.#ids.delete(id)
    else this.#ids.set(id, left)
  }

  /** The first so many that are relays at all, each once. */
  #peers(urls: readonly string[]): ReadonlySet<string> {
    const { canonical, profile } = this.#options
    const peers = new Set<string>()
    for (const url of urls) {
      const peer = canonical(url)
      if (peer === undefined) this.leftOut.badPeers++
      else if (peers.size < profile.bounds.peersPerSubject) peers.add(peer)
      else if (!peers.has(peer)) this.leftOut.peers++
    }
    return peers
  }
}

function valuesOf({ per, value }: Layer, key: string, { children }: Subject): readonly string[] {
  switch (per) {
    case 'peer':
      return ['']
    case 'subject':
      return [value(key)]
    case 'child':
      return Array.from(children, value)
  }
}
