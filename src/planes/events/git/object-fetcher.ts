import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { BareRepository } from './bare-repository.ts'
import { type AddressRules, cloneUrl, pinnedSource } from './clone-source.ts'
import { type FetchOutcome, fetchOutcomes, isNaughty } from './fetch-outcome.ts'
import type { GitCommand } from './git-command.ts'
import type { HostThrottle } from './host-throttle.ts'
import { fetchObjects } from './quarantine.ts'

export interface ObjectFetcherOptions {
  readonly git: GitCommand
  readonly hosts: HostThrottle
  readonly addresses: AddressRules
  /** Whether a URL is one of this service's own: it has what it has, and would only ask itself. */
  readonly isOurs: (url: string) => boolean
  /** A folder for quarantines, on the disk of the repositories. */
  readonly incoming: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Logger
}

export interface Wish {
  readonly target: BareRepository
  /** What it is for: what is too big for a stranger's purpose may be of use to the maintainers. */
  readonly purpose: string
  /** What is still missing, asked anew before each server. */
  readonly missing: () => Promise<readonly string[]>
  readonly clones: readonly string[]
  /** What the target may still take of it, asked anew before each server. */
  readonly room: () => Promise<number>
  /** Called after each fetch that brought something, before the next. */
  readonly onArrived: () => Promise<void>
}

export interface FetchCounters {
  readonly fetches: Readonly<Record<FetchOutcome, number>>
  readonly bytes: number
  readonly objects: number
}

/** Servers asked in one run; an announcement may list any number. */
const maxServers = 20
/** Ids asked of one server at once. */
const maxIds = 20_000

/** Asks one server after the other for what is missing, each as its host's turn comes. */
export class ObjectFetcher {
  readonly #options: ObjectFetcherOptions
  readonly #fetches = new Map<FetchOutcome, number>()
  #bytes = 0
  #objects = 0

  constructor(options: ObjectFetcherOptions) {
    this.#options = options
  }

  get counters(): FetchCounters {
    const count = (outcome: FetchOutcome) => [outcome, this.#fetches.get(outcome) ?? 0] as const
    return {
      fetches: Object.fromEntries(fetchOutcomes.map(count)) as Record<FetchOutcome, number>,
      bytes: this.#bytes,
      objects: this.#objects,
    }
  }

  async fetch(wish: Wish, signal: AbortSignal): Promise<void> {
    const { isOurs, hosts } = this.#options
    const urls = new Map(
      wish.clones.flatMap((text) => {
        const url = cloneUrl(text)
        return url === undefined || isOurs(url.href) ? [] : [[url.href, url] as const]
      }),
    )
    for (const url of [...urls.values()].slice(0, maxServers)) {
      signal.throwIfAborted()
      if (hosts.isNaughty(url.hostname) || hosts.isNaughty(tooBigAt(url, wish))) continue
      if ((await wish.missing()).length === 0) return
      using _turn = await hosts.take(url.hostname, signal)
      const outcome = await this.#fetchFrom(url, wish, signal)
      this.#fetches.set(outcome, (this.#fetches.get(outcome) ?? 0) + 1)
      this.#judge(url, outcome, wish)
    }
  }

  async #fetchFrom(url: URL, wish: Wish, signal: AbortSignal): Promise<FetchOutcome> {
    const { git, clock, addresses, incoming, timeoutMs } = this.#options
    const ids = (await wish.missing()).slice(0, maxIds)
    const maxBytes = await wish.room()
    if (ids.length === 0) return 'nothing'
    if (maxBytes <= 0) return 'too-big'
    let source: Awaited<ReturnType<typeof pinnedSource>>
    try {
      source = await pinnedSource(url, addresses)
    } catch (error) {
      // A resolver that is out of order says nothing about the host.
      return (error as NodeJS.ErrnoException).code === 'EAI_AGAIN' ? 'failed' : 'dns'
    }
    if (source === undefined) return 'address'
    const { target } = wish
    const request = { git, clock, incoming, target, source, ids, maxBytes, timeoutMs, signal }
    const { outcome, bytes } = await fetchObjects(request)
    if (outcome === 'complete' || outcome === 'partial') {
      this.#bytes += bytes
      this.#objects += ids.length - (await wish.missing()).length
      await wish.onArrived()
    }
    return outcome
  }

  #judge(url: URL, outcome: FetchOutcome, wish: Wish): void {
    const { hosts, log } = this.#options
    const fields = { host: url.hostname, outcome }
    if (isNaughty(outcome) && hosts.blame(url.hostname))
      log.warn('no git data is asked of a host for twelve hours', fields)
    // Not the host's fault, but fetching all of it again in a minute would be ours.
    else if (outcome === 'too-big' && hosts.blame(tooBigAt(url, wish)))
      log.warn('a repository is larger than may be kept', fields)
    else log.debug('git data was asked for', fields)
  }
}

function tooBigAt(url: URL, { target, purpose }: Wish): string {
  return `${url.href} ${target.path} ${purpose}`
}
