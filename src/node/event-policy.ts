import type { Config } from '../config/schema.ts'
import type { Limits } from '../planes/events/limits.ts'
import { Acl } from '../planes/events/policy/acl.ts'
import { openGrantTable } from '../planes/events/policy/grant-table.sqlite.ts'
import { Moderation } from '../planes/events/policy/moderation.ts'
import { openModerationTable } from '../planes/events/policy/moderation-table.sqlite.ts'
import { parseMatch } from '../planes/events/policy/parse-grant.ts'
import { ReadPolicy } from '../planes/events/policy/read-policy.ts'
import { writeByGrant } from '../planes/events/policy/write-by-grant.ts'
import { fromAuthenticatedOnly, writeByRules } from '../planes/events/policy/write-rules.ts'
import { createWritePolicy, type WritePolicy } from '../planes/events/write-policy.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'

/** What may come in and what may be read, through every door alike. */
export interface EventPolicy {
  readonly acl: Acl
  /** What administrators have listed. */
  readonly moderation: Moderation
  readonly read: ReadPolicy
  readonly write: WritePolicy
  /** Is there anything a client could be refused for by the operator's will? */
  readonly restrictsWrites: () => boolean
}

export interface EventPolicyParts {
  readonly config: Pick<Config, 'policy' | 'restrictedKinds'>
  readonly limits: Limits
  readonly store: SqliteStore
  /** Whether an event belongs to what a special service keeps. */
  readonly service: WritePolicy | undefined
  /** Asked last. */
  readonly plugin: WritePolicy | undefined
}

/** @throws SyncError `config/invalid` naming the rule whose filter is wrong */
export async function openEventPolicy(parts: EventPolicyParts): Promise<EventPolicy> {
  const { config, limits, store, service, plugin } = parts
  const { policy, restrictedKinds } = config
  const filterAt = (key: string, input: unknown) => parseMatch(`policy.${key}`, input, limits)
  const protectedFilters = policy.protectedFilters.map((filter, at) =>
    filterAt(`protectedFilters[${at}]`, filter),
  )
  const writeRules = policy.write.map((rule, at) => {
    return { ...rule, match: filterAt(`write[${at}].match`, rule.match) }
  })
  const readRules = policy.read.map(({ action, match }, at) => {
    return { action, match: filterAt(`read[${at}].match`, match) }
  })
  const acl = await Acl.open(await openGrantTable(store), protectedFilters)
  const moderation = await Moderation.open(await openModerationTable(store))
  const more = [
    moderation.write,
    policy.writeAccess === 'authenticated' ? fromAuthenticatedOnly : undefined,
    writeByRules(writeRules),
    writeByGrant(acl),
    service,
    plugin,
  ]
  const hasWriteRules =
    policy.writeAccess === 'authenticated' ||
    writeRules.some(({ action, sources }) => action === 'deny' && sources?.includes('client') !== false) ||
    protectedFilters.length > 0 ||
    service !== undefined ||
    plugin !== undefined
  return {
    acl,
    moderation,
    read: new ReadPolicy({ restrictedKinds, access: policy.readAccess, rules: readRules, acl }),
    write: createWritePolicy({ limits, more: more.filter((one) => one !== undefined) }),
    restrictsWrites: () => hasWriteRules || moderation.restrictsWrites,
  }
}
