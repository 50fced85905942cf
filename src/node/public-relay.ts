import { systemClock } from '../kernel/clock.ts'
import type { ManagementOptions } from '../planes/events/relay/management.ts'
import { createRelay, type OtherPaths, type Relay } from '../planes/events/relay/relay.ts'
import type { NodeParts } from './node.ts'
import { version } from './package-file.ts'

/** The relay a node shows to the world. It does not listen yet. */
export function createPublicRelay(
  parts: NodeParts,
  management: ManagementOptions,
  otherPaths?: OtherPaths,
): Relay {
  const { config, events, ingest, verifier, limits, log, identity, policy, clientAddress } = parts
  const { name, description, contact, adminPubkey, publicUrls } = config
  return createRelay({
    store: events,
    ingest,
    verifier,
    limits,
    clock: systemClock,
    log,
    readPolicy: policy.read,
    syncPage: config.syncPage,
    restrictsWrites: policy.restrictsWrites,
    moderation: policy.moderation,
    // Without administrators there is nobody to serve it to.
    ...(config.admin.pubkeys.length > 0 ? { management } : {}),
    relayUrls: publicUrls,
    clientAddress,
    ...(otherPaths && { otherPaths }),
    info: {
      name,
      description,
      contact,
      // Asked for with every document: an identity can be changed while the relay runs.
      get self() {
        return identity.pubkey
      },
      get pubkey() {
        return adminPubkey ?? identity.pubkey
      },
      version,
    },
  })
}
