import type { Clock } from '../../../kernel/clock.ts'
import type { NostrEvent } from '../event.ts'
import type { EventHold } from '../event-hold.ts'
import { type EventStore, everything } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { announcementKind } from '../grasp/announcement.ts'
import { isNewerState, parseState, stateKind } from '../grasp/repository-state.ts'
import { type BareRepository, formatOf } from './bare-repository.ts'
import { type GitNeed, gitKey, gitNeedOf, pullRequestKinds } from './git-need.ts'
import type { ObjectFetcher } from './object-fetcher.ts'
import { isFor, type KeptRepository, type RepositorySet } from './repository-set.ts'

export interface RepositoryWorkerOptions {
  readonly store: Pick<EventStore<unknown>, 'query'>
  readonly hold: Pick<EventHold<unknown>, 'waitingFor'>
  readonly fetcher: ObjectFetcher
  readonly load: (identifier: string) => Promise<RepositorySet>
  /** Bytes of one owner's repository. */
  readonly maxBytes: number
  readonly clock: Clock
  /** All that some held events of this name wait for is here. */
  readonly onReady: (identifier: string) => void
}

export interface RunReport {
  /** Whether every event has its data. */
  readonly isComplete: boolean
  /** Whether objects came that other repositories of the name may want. */
  readonly hasFetched: boolean
}

interface Wanted {
  readonly event: NostrEvent
  readonly need: GitNeed
  readonly isHeld: boolean
}

/** Held events of one name that one run looks at; more wait for the next. */
const maxHeld = 2_000
const maxStored = 500
/** A run's time for pull requests, and how many servers one of them may name. */
const pullRequestsMs = 180_000
const maxPullRequestClones = 5

/** Brings one owner's repository into line with what its maintainers signed (specs proactive §9.7). */
export class RepositoryWorker {
  readonly #options: RepositoryWorkerOptions
  #turn = 0

  constructor(options: RepositoryWorkerOptions) {
    this.#options = options
  }

  async run(owner: string, identifier: string, signal: AbortSignal): Promise<RunReport> {
    const set = await this.#options.load(identifier)
    const repository = set.repositories.find((one) => one.owner === owner)
    if (repository === undefined) return { isComplete: true, hasFetched: false }
    const wanted = await this.#wanted(repository, identifier)
    const [sample] = wanted.flatMap(({ need }) => need.ids)
    // What its objects are like shows with the first of them.
    if (sample !== undefined) await repository.bare.init(formatOf(sample), signal)
    else if (!(await repository.bare.exists())) return { isComplete: true, hasFetched: false }
    let hasFetched = false
    const settle = () => this.#settle(set, repository, wanted, identifier, signal)
    await settle()
    const onArrived = async () => {
      hasFetched = true
      await settle()
    }
    const states = wanted.filter(({ event }) => event.kind === stateKind)
    const { clones, bare: target } = repository
    const missing = () => missingOf(set, states, signal)
    const room = async () => this.#options.maxBytes - (await target.size())
    await this.#options.fetcher.fetch({ target, purpose: 'states', clones, missing, room, onArrived }, signal)
    await this.#pullRequests(set, repository, wanted, onArrived, signal)
    return { isComplete: (await missingOf(set, wanted, signal)).length === 0, hasFetched }
  }

  /** Within a time of their own, beginning with another one each time: they name servers of strangers. */
  async #pullRequests(
    set: RepositorySet,
    { bare: target, clones }: KeptRepository,
    wanted: readonly Wanted[],
    onArrived: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { fetcher, clock, maxBytes } = this.#options
    const pulls = wanted.filter(({ event }) => event.kind !== stateKind)
    const lacking = new Set(await missingOf(set, pulls, signal))
    const open = pulls.filter(({ need }) => need.ids.some((id) => lacking.has(id)))
    if (open.length === 0) return
    const first = this.#turn++ % open.length
    // A stranger's pull request never takes the room that the maintainers need: half of it is theirs alone.
    const room = async () => Math.min(maxBytes / 16, maxBytes / 2 - (await target.size()))
    const over = new AbortController()
    void clock.sleep(pullRequestsMs, AbortSignal.any([signal, over.signal])).then(
      () => over.abort(),
      () => {},
    )
    const either = AbortSignal.any([signal, over.signal])
    try {
      for (const pull of [...open.slice(first), ...open.slice(0, first)]) {
        const missing = () => missingOf(set, [pull], signal)
        const from = [...pull.need.clones.slice(0, maxPullRequestClones), ...clones]
        await fetcher.fetch(
          { target, purpose: pull.event.id, clones: from, missing, room, onArrived },
          either,
        )
      }
    } catch (error) {
      if (signal.aborted || !over.signal.aborted) throw error
    } finally {
      over.abort()
    }
  }

  /** The stored state that stands, every held one that might follow it, and the pull requests. */
  async #wanted({ members }: KeptRepository, identifier: string): Promise<readonly Wanted[]> {
    const { hold } = this.#options
    const addresses = [...members].map((member) => `${announcementKind}:${member}:${identifier}`)
    const states = await this.#stored({ kinds: [stateKind], '#d': [identifier] })
    const pulls = await this.#stored({ kinds: [...pullRequestKinds], '#a': addresses })
    const held = (await hold.waitingFor([gitKey(identifier)], maxHeld)).map(({ event }) => event)
    const wanted = (isHeld: boolean) => (event: NostrEvent) => {
      const need = gitNeedOf(event)
      const isWanted =
        need !== undefined && need.identifier === identifier && isFor(members, event.pubkey, need.addressed)
      return isWanted ? [{ event, need, isHeld }] : []
    }
    const current = newestOf(states.flatMap(wanted(false)))
    return [
      ...(current === undefined ? [] : [current]),
      ...pulls.flatMap(wanted(false)),
      ...held.flatMap(wanted(true)),
    ]
  }

  async #stored(filter: Filter): Promise<readonly NostrEvent[]> {
    const limits = { defaultLimit: maxStored, maxLimit: maxStored, visibility: everything }
    const { events } = await this.#options.store.query([filter], limits)
    return events.map(({ raw }) => JSON.parse(raw) as NostrEvent)
  }

  /** Refs follow what is here; then what waited for it may be served. */
  async #settle(
    set: RepositorySet,
    { bare }: KeptRepository,
    wanted: readonly Wanted[],
    identifier: string,
    signal: AbortSignal,
  ): Promise<void> {
    const located = await set.locate(
      wanted.flatMap(({ need }) => need.ids),
      signal,
    )
    const isReady = ({ need }: Wanted) => need.ids.every((id) => located.has(id))
    const states = wanted.filter(({ event }) => event.kind === stateKind)
    // A held state may stand once it can be served; a stored one stands, even if its data is still on the way.
    const standing = newestOf(states.filter((one) => !one.isHeld || isReady(one)))
    const state = standing !== undefined && isReady(standing) ? parseState(standing.event) : undefined
    const pulls = wanted.filter((one) => one.event.kind !== stateKind && isReady(one))
    const needed = [...(state?.refs.values() ?? []), ...pulls.flatMap(({ need }) => need.ids)]
    await copyMissing(bare, needed, located, signal)
    if (state !== undefined) await bare.align(state, signal)
    await putPullRequests(bare, pulls, signal)
    if (wanted.some((one) => one.isHeld && isReady(one))) this.#options.onReady(identifier)
  }
}

async function missingOf(set: RepositorySet, wanted: readonly Wanted[], signal: AbortSignal) {
  const ids = new Set(wanted.flatMap(({ need }) => need.ids))
  const located = await set.locate(ids, signal)
  return [...ids].filter((id) => !located.has(id))
}

function newestOf(states: readonly Wanted[]): Wanted | undefined {
  return states.reduce<Wanted | undefined>(
    (newest, one) => (newest === undefined || isNewerState(one.event, newest.event) ? one : newest),
    undefined,
  )
}

/** Owners' repositories of one name share what any of them has, by copies: each can be served and removed alone. */
async function copyMissing(
  target: BareRepository,
  ids: readonly string[],
  located: ReadonlyMap<string, BareRepository>,
  signal: AbortSignal,
): Promise<void> {
  const here = await target.types(ids, signal)
  const bySource = new Map<BareRepository, Set<string>>()
  for (const id of ids) {
    const source = located.get(id)
    if (source === undefined || here.has(id)) continue
    const some = bySource.get(source) ?? new Set()
    bySource.set(source, some.add(id))
  }
  for (const [source, some] of bySource) await source.copyTo(target, [...some], signal)
}

/** Also keeps the objects: nothing else refers to them. */
async function putPullRequests(
  bare: BareRepository,
  pulls: readonly Wanted[],
  signal: AbortSignal,
): Promise<void> {
  if (pulls.length === 0) return
  const current = await bare.refs(['refs/nostr/'], signal)
  for (const { event, need } of pulls) {
    const name = `refs/nostr/${event.id}`
    const [commit] = need.ids
    if (commit !== undefined && current.get(name) !== commit) await bare.putRef(name, commit, signal)
  }
}
