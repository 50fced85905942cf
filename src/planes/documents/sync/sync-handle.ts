import { DocumentError } from '../document-error.ts'
import type { DatabaseId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { LinkState } from './records/link-states.ts'
import type { Sync } from './sync.ts'
import type { SyncAddress } from './sync-address.ts'

export interface SyncStatus extends LinkState {
  /** Whether anything of the database is here. */
  readonly hasLocalData: boolean
  /** Whether what we have was with the peer when we last spoke. */
  readonly inStep: boolean
}

/** One database, kept in step with one peer. */
export class SyncHandle {
  readonly tree: DatabaseId
  readonly peer: PublicKey
  readonly #sync: Sync

  constructor(sync: Sync, peer: PublicKey, tree: DatabaseId) {
    this.#sync = sync
    this.peer = peer
    this.tree = tree
  }

  status(): Promise<SyncStatus> {
    return this.#sync.status(this.peer, this.tree)
  }

  async addAddress(address: SyncAddress): Promise<void> {
    await this.#sync.peers.addAddresses(this.peer, [address])
  }

  /**
   * Resolves once the database is here, syncing at once instead of when it is due.
   *
   * @throws DocumentError what the attempt failed with; `document/peer-denied` until access is granted
   */
  async waitForInitialSync(signal?: AbortSignal): Promise<void> {
    if ((await this.status()).hasLocalData) return
    await this.#sync.syncTree(this.peer, this.tree, signal)
    if ((await this.status()).hasLocalData) return
    throw new DocumentError('document/sync-incomplete', `nothing of ${this.tree} arrived`)
  }
}
