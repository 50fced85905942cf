import { EventError } from '../event-error.ts'
import type { WritePolicy } from '../write-policy.ts'
import type { Acl } from './acl.ts'

/**
 * What is protected goes up to a relay only where the key of that relay was granted to read it: what nobody else may ask us
 * for, we do not offer either. Undefined when nothing is protected, so that nothing has to be asked.
 *
 * @param pubkey the key the relay is expected to have; undefined: none is known, and nothing is granted
 */
export function leaveByGrant(acl: Acl, pubkey: string | undefined): WritePolicy | undefined {
  if (!acl.protectsAnything) return undefined
  const reader = pubkey === undefined ? [] : [pubkey]
  return (event) => {
    if (acl.guard(reader)?.allows(event) !== false) return undefined
    return new EventError(
      'event/write-not-allowed',
      'restricted',
      'sync_read_not_allowed: the relay may not read it',
    )
  }
}
