import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { Database } from '../database.ts'
import type { Instance } from '../instance.ts'
import type { PageLimits } from './entry-pages.ts'
import { openAccessRecords } from './records/access-requests.ts'
import { LinkStates } from './records/link-states.ts'
import { PeerRecords } from './records/peer-records.ts'
import { SyncWishes } from './records/sync-wishes.ts'
import { AccessDesk, type AccessLimits, type AccessPolicy } from './responder/access-desk.ts'
import { Responder } from './responder/responder.ts'
import { SharedTrees } from './responder/shared-trees.ts'
import type { SyncObserver } from './sync-options.ts'
import type { MessageHandler } from './transport/sync-transport.ts'
import { Transports } from './transport/transports.ts'

export interface SyncParts {
  /** `_sync`: what is meant to be, signed by the device, never synced itself. */
  readonly database: Database
  readonly peers: PeerRecords
  readonly states: LinkStates
  readonly wishes: SyncWishes
  readonly desk: AccessDesk
  readonly handler: MessageHandler
  readonly transports: Transports
}

export interface SyncPartsOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly randomBytes: (length: number) => Uint8Array
  readonly displayName?: string
  readonly accessPolicy?: AccessPolicy
  readonly accessLimits?: AccessLimits
  readonly pages?: PageLimits
  readonly maxPeers?: number
  readonly observer?: SyncObserver
}

export async function openSyncParts(instance: Instance, options: SyncPartsOptions): Promise<SyncParts> {
  const { clock, log, pages } = options
  const now = () => clock.now()
  const database = await instance.systemDatabase('_sync', 'sync_settings')
  const peers = await PeerRecords.open(database, now)
  const states = new LinkStates(instance)
  const wishes = await SyncWishes.open(instance, database, clock)
  const desk = new AccessDesk({
    instance,
    records: await openAccessRecords(database),
    now,
    policy: options.accessPolicy,
    limits: options.accessLimits,
  })
  const trees = new SharedTrees({ instance, wishes, peers, states, pages, maxPeers: options.maxPeers })
  const responder = new Responder({
    instance,
    clock,
    log,
    peers,
    trees,
    desk,
    random: options.randomBytes,
    name: options.displayName,
  })
  const handler: MessageHandler = async (message, signal) => {
    const answer = await responder.answer(message, signal)
    options.observer?.answered?.(message.length, answer.length)
    return answer
  }
  return {
    database,
    peers,
    states,
    wishes,
    desk,
    handler,
    transports: await Transports.open(database, handler),
  }
}
