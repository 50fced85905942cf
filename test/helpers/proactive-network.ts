import type { NostrEvent } from '../../src/planes/events/event.ts'
import { npubOf } from '../../src/planes/events/grasp/announcement.ts'
import { type Author, newAuthor } from '../peers/author.ts'
import { TestClient } from '../peers/test-client.ts'
import { type CuttingProxy, cuttingProxy } from './cutting-proxy.ts'
import { GraspHost } from './grasp-host.ts'
import { publishBy } from './grasp-service.ts'

/** All services and all authors come from one address here; nowhere else do they. */
const oneAddress = { maxConnectionsPerAddress: 1_000, requestsPerAddress: 100_000, eventsPerAddress: 100_000 }

interface Service {
  readonly url: string
  readonly port: number
  readonly domain: string
}

/** A place of the network: a service that may be up or down, with its data. */
export interface Place {
  readonly data: string
  readonly host: GraspHost
  readonly proxy: CuttingProxy | undefined
  domain: string
  port: number | undefined
  service: Service | undefined
  /** Where authors publish to it. */
  client: TestClient | undefined
}

interface Repository {
  readonly author: Author
  readonly d: string
  announcement: NostrEvent
  on: readonly number[]
  /** Services that were told of it by its author: others learn of it from them, in their own time. */
  readonly told: Set<number>
  readonly thread: NostrEvent[]
}

export interface NetworkOptions {
  readonly folder: string
  readonly relays: number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Relays that are announced beside the services and are none. */
  readonly strangers: readonly string[]
  /** Milliseconds for which a service collects what it accepted before it looks at it. */
  readonly batchWindowMs: number
}

/**
 * Services and repositories, and what each service should hold: the oracle is told what was published, and knows nothing of
 * how it travels.
 */
export class ProactiveNetwork implements AsyncDisposable {
  readonly places: Place[] = []
  readonly repositories: Repository[] = []
  readonly #hosts = [new GraspHost(), new GraspHost()] as const
  readonly #options: NetworkOptions

  private constructor(options: NetworkOptions) {
    this.#options = options
  }

  /** The first place is behind a line that is cut a few times. */
  static async open(options: NetworkOptions): Promise<ProactiveNetwork> {
    const network = new ProactiveNetwork(options)
    try {
      for (let n = 0; n < options.relays; n++) {
        const proxy = n === 0 ? await cuttingProxy(3, 6_000) : undefined
        const domain = proxy === undefined ? '' : `127.0.0.1:${proxy.port}`
        network.places.push({
          data: `${options.folder}/${n}`,
          host: network.#hosts[n % 2]!,
          proxy,
          domain,
          port: undefined,
          service: undefined,
          client: undefined,
        })
        await network.start(n)
      }
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  async start(at: number): Promise<void> {
    const place = this.places[at]!
    const { data, host, port, proxy } = place
    const domain = place.domain === '' ? undefined : place.domain
    const { batchWindowMs } = this.#options
    const service = await host.call('start', data, { port, domain, limits: oneAddress, batchWindowMs })
    const client = await TestClient.connect(service.url)
    Object.assign(place, { service, client, port: service.port, domain: service.domain })
    proxy?.leadTo(service.port)
  }

  async stop(at: number): Promise<void> {
    const place = this.places[at]!
    place.client?.[Symbol.dispose]()
    if (place.service !== undefined) await place.host.call('stop', place.data)
    place.service = undefined
    place.client = undefined
  }

  /** A repository on these services, told to those of them that are up, as its author would. */
  async announce(on: readonly number[]): Promise<void> {
    const [author, d] = [newAuthor(), `repository ${this.repositories.length}`]
    const announcement = this.#announcement(author, d, on, Math.floor(Date.now() / 1_000) - 60)
    this.repositories.push({ author, d, on, announcement, told: new Set(this.#up(on)), thread: [] })
    await this.#tell(on, announcement)
  }

  /** A newer announcement, on one service more. */
  async join(which: number, at: number): Promise<void> {
    const repository = this.repositories[which]!
    const { author, d, announcement } = repository
    repository.on = [...new Set([...repository.on, at])]
    repository.announcement = this.#announcement(author, d, repository.on, announcement.created_at + 1)
    await this.#tell(repository.on, repository.announcement)
    for (const told of this.#up(repository.on)) repository.told.add(told)
  }

  /** Somebody's issue, and an answer that names the issue alone, on any one of the services that are up and know it. */
  async discuss(which: number): Promise<void> {
    const { author, d, told, thread } = this.repositories[which]!
    const address = `30617:${author.pubkey}:${d}`
    const issue = newAuthor().write({
      kind: 1_621,
      tags: [['a', address]],
      content: `issue ${thread.length}`,
    })
    const tags = [
      ['E', issue.id],
      ['K', '1621'],
    ]
    const comment = author.write({ kind: 1_111, tags, content: `answer ${thread.length}` })
    thread.push(issue, comment)
    const at = this.#pick(this.#up([...told]))
    for (const event of [issue, comment]) await this.#tell([at], event)
  }

  pickRepository(): number {
    return this.#pick(this.repositories.map((_, n) => n))
  }

  /** Services, two at least. */
  pickServices(): readonly number[] {
    const { relays, random } = this.#options
    const all = Array.from({ length: relays }, (_, n) => ({ n, order: random() })).sort(
      (a, b) => a.order - b.order,
    )
    return all.slice(0, 2 + Math.floor(random() * Math.min(3, relays - 1))).map(({ n }) => n)
  }

  /** Sorted ids of what a service should hold. */
  expected(at: number): string[] {
    return this.repositories
      .filter(({ on }) => on.includes(at))
      .flatMap(({ announcement, thread }) => [announcement.id, ...thread.map(({ id }) => id)])
      .sort()
  }

  /** Sorted ids of what it holds. */
  held(at: number): Promise<readonly string[]> {
    const { host, data } = this.places[at]!
    return host.call('held', data)
  }

  /** Relays it mirrors. */
  relaysOf(at: number): Promise<number> {
    const { host, data } = this.places[at]!
    return host.call('relays', data)
  }

  /** What each service lacks of what it should hold, once none lacks anything or so many milliseconds have passed. */
  async missing(waitMs: number): Promise<readonly (readonly string[])[]> {
    return Promise.all(
      this.places.map(({ host, data }, at) => host.call('missing', data, this.expected(at), waitMs)),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const at of this.places.keys()) await this.stop(at)
    for (const host of this.#hosts) await host[Symbol.asyncDispose]()
    for (const { proxy } of this.places) await proxy?.[Symbol.asyncDispose]()
  }

  #announcement(author: Author, d: string, on: readonly number[], created_at: number): NostrEvent {
    const domains = on.map((n) => this.places[n]!.domain)
    const path = `${npubOf(author.pubkey)}/${encodeURIComponent(d)}.git`
    const tags = [
      ['d', d],
      ['relays', ...domains.map((domain) => `ws://${domain}`), ...this.#options.strangers],
      ['clone', ...domains.map((domain) => `http://${domain}/${path}`)],
    ]
    return author.write({ kind: 30_617, created_at, tags })
  }

  async #tell(on: readonly number[], event: NostrEvent): Promise<void> {
    const clients = on.flatMap((at) => this.places[at]!.client ?? [])
    await Promise.all(clients.map((client) => publishBy(client, event)))
  }

  #up(numbers: readonly number[]): readonly number[] {
    return numbers.filter((n) => this.places[n]?.service !== undefined)
  }

  #pick(numbers: readonly number[]): number {
    return numbers[Math.floor(this.#options.random() * numbers.length)]!
  }
}
