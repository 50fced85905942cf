import { randomUUID } from 'node:crypto'
import { type Link, linkId } from '../../kernel/link.ts'
import { type PeerId, peerId } from '../../kernel/peer.ts'
import type { RunRecord } from '../../kernel/run.ts'
import type { Scheduler } from '../../kernel/scheduler.ts'
import type { Store } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'

export interface RowsLinkWish {
  /** Where the server's `/sync` routes are mounted, for example `https://example.org`. */
  readonly url: string
  /** Whose rows. */
  readonly user: string
  /** Stay in step after catching up. Default: true. */
  readonly live?: boolean
  /** When a link that is not live is due again: `5m`, `03:00` or five cron fields. Default: only on demand. */
  readonly schedule?: string | undefined
}

export interface RowsLinksParts<Tx> {
  readonly store: Store<Tx>
  readonly scheduler: Scheduler<Tx>
  /** Whether the node was opened with databases to keep in step. */
  readonly isRegistered: boolean
}

/** The databases of this process that the node keeps in step with rows servers: one link per server and user. */
export class RowsLinks<Tx> {
  readonly #parts: RowsLinksParts<Tx>

  constructor(parts: RowsLinksParts<Tx>) {
    this.#parts = parts
  }

  /**
   * Makes the link, or changes how it runs; a node that was started works on it from now on.
   *
   * @throws SyncError `config/invalid` for an address or a user that cannot be one
   */
  async put({ url, user, live = true, schedule }: RowsLinkWish): Promise<Link> {
    const { store, scheduler, isRegistered } = this.#parts
    if (!isRegistered)
      throw new SyncError(
        'config/invalid',
        'this node knows no database to keep in step: give openNode the option rows with a function clientFor',
      )
    const address = addressOf(url)
    const scopeKey = user.trim()
    if (scopeKey === '') throw new SyncError('config/invalid', 'a link for rows needs a user')
    const link = await store.transaction(async (tx) => {
      const peer = rowsPeerId(address)
      const known = await store.peers.get(tx, peer)
      const addresses = [{ transport: 'http', value: address }]
      if (known === undefined)
        await store.peers.put(tx, {
          id: peer,
          name: address,
          addresses,
          enabled: true,
          metadata: { rows: {} },
        })
      const before = await store.links.find(tx, peer, 'rows', 'both', scopeKey)
      const after: Link = {
        id: before?.id ?? linkId(randomUUID()),
        peer,
        plane: 'rows',
        scope: { user: scopeKey },
        scopeKey,
        direction: 'both',
        live,
        enabled: true,
        schedule,
      }
      await store.links.put(tx, after)
      return after
    })
    scheduler.wake()
    return link
  }

  list(): Promise<readonly Link[]> {
    const { store } = this.#parts
    return store.read(async (tx) => (await store.links.list(tx)).filter(({ plane }) => plane === 'rows'))
  }

  /** How the link's newest attempt went, or goes; undefined before the first. */
  async run({ id }: Link): Promise<RunRecord | undefined> {
    const { store, scheduler } = this.#parts
    return scheduler.running(id) ?? (await store.read((tx) => store.links.run(tx, id)))
  }

  /** Brings one link up to date now; joins an attempt that runs already. */
  syncNow({ id }: Link, signal: AbortSignal): Promise<RunRecord> {
    return this.#parts.scheduler.runNow(id, { signal, live: false })
  }

  /** Ends its attempt and forgets it; rows stay where they are. False when there was none. */
  async remove({ id, peer }: Link): Promise<boolean> {
    const { store, scheduler } = this.#parts
    await scheduler.cancel(id)
    return store.transaction(async (tx) => {
      const removed = await store.links.remove(tx, id)
      if ((await store.links.list(tx, peer)).length === 0) await store.peers.remove(tx, peer)
      return removed
    })
  }
}

/** No slash is in the id of a server that an operator defines. */
const rowsPeerId = (address: string): PeerId => peerId(`rows/${address}`)

function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new SyncError(
      'config/invalid',
      `${url} is no address of a rows server: it begins with http:// or https://`,
    )
  return parsed.href.replace(/\/+$/, '')
}
