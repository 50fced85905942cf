import { type Link, linkId } from '../../src/kernel/link.ts'
import { type Peer, peerId } from '../../src/kernel/peer.ts'
import type { Store } from '../../src/kernel/store.ts'
import { SyncError } from '../../src/kernel/sync-error.ts'

/** One engine under test, with an empty store. */
export interface StoreWorld<Tx> extends AsyncDisposable {
  readonly store: Store<Tx>
  /** Runs one statement of SQL that every engine understands; answers its rows. */
  execute(tx: Tx, sql: string): Promise<readonly Record<string, unknown>[]>
  /** Lets time pass for leases. */
  advance(ms: number): Promise<void>
  /** Closes the store and opens it again on the same data, as a restart does. Answers the new one. */
  restart(): Promise<Store<Tx>>
}

export type StoreSetup<Tx> = () => Promise<StoreWorld<Tx>>

export function peer(id: string, overrides: Partial<Peer> = {}): Peer {
  return { id: peerId(id), name: id, addresses: [], enabled: true, metadata: {}, ...overrides }
}

export function link(id: string, of: string, overrides: Partial<Link> = {}): Link {
  return {
    id: linkId(id),
    peer: peerId(of),
    plane: 'events',
    scope: {},
    scopeKey: id,
    direction: 'both',
    live: false,
    enabled: true,
    schedule: undefined,
    ...overrides,
  }
}

/** A peer `p` with a link of each given id. */
export async function seed<Tx>(store: Store<Tx>, ...links: readonly string[]): Promise<void> {
  await store.transaction(async (tx) => {
    await store.peers.put(tx, peer('p'))
    for (const id of links) await store.links.put(tx, link(id, 'p'))
  })
}

export function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SyncError && error.code === expected
}
