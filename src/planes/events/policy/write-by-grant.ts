import { EventError } from '../event-error.ts'
import type { PolicyContext, WritePolicy } from '../write-policy.ts'
import type { Acl } from './acl.ts'

/**
 * What is protected is written by those who were granted it. A synced event has the rights of the relay it comes from, not of
 * its author: whom we let feed us is our choice, who may write there is that relay's.
 */
export function writeByGrant(acl: Acl): WritePolicy {
  return (event, context) => {
    // An import is the operator's own doing.
    if (context.source === 'import' || !acl.isProtected(event)) return undefined
    const pubkeys = writersOf(context)
    if (acl.mayWrite(pubkeys, event)) return undefined
    return pubkeys.length === 0 && context.source === 'client'
      ? refuse('auth-required', 'auth_required: what is protected is written by those who may')
      : refuse('restricted', 'sync_write_not_allowed: no grant covers this event')
  }
}

/** In a sync, `authenticated` holds who the batch was taken from, where a caller of the bulk API says so. */
function writersOf({ source, peer, authenticated }: PolicyContext): readonly string[] {
  if (source !== 'sync' || peer?.pubkey === undefined) return authenticated
  return [...authenticated, peer.pubkey]
}

function refuse(prefix: 'auth-required' | 'restricted', message: string): EventError {
  return new EventError('event/write-not-allowed', prefix, message)
}
