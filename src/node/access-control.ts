import type { Limits } from '../planes/events/limits.ts'
import type { Acl, Capability, Grant } from '../planes/events/policy/acl.ts'
import { parseGrant } from '../planes/events/policy/parse-grant.ts'

/** Who may read and write what `policy.protectedFilters` selects. Changes hold at once, also for open subscriptions. */
export interface AccessControl {
  /**
   * @param grant `{ principal, capability: 'sync_read' | 'sync_write', match }`; granting twice changes nothing
   * @throws SyncError `config/invalid` naming the field
   */
  grant(grant: unknown): Promise<Grant>
  /** False when there was no such grant. @throws as `grant` */
  revoke(grant: unknown): Promise<boolean>
  /** By principal, capability and match, in that order. */
  list(query?: { readonly principal?: string; readonly capability?: Capability }): Promise<readonly Grant[]>
}

export function createAccessControl(acl: Acl, limits: Limits): AccessControl {
  return {
    async grant(input) {
      const grant = parseGrant(input, limits)
      await acl.grant(grant)
      return grant
    },
    revoke: async (input) => acl.revoke(parseGrant(input, limits)),
    list: async ({ principal, capability } = {}) =>
      acl
        .list()
        .filter((grant) => principal === undefined || grant.principal === principal.toLowerCase())
        .filter((grant) => capability === undefined || grant.capability === capability),
  }
}
