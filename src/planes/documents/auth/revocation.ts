import type { Doc } from '../crdt/doc.ts'
import type { EntryId } from '../entry/entry-id.ts'
import { sortedIds } from '../entry/entry-id.ts'
import type { Authority, AuthorityChange } from './authority.ts'
import { type Permission, rankOf } from './permission.ts'

/** One entry of the settings, as far as revocation is concerned. */
export interface SettingsNode {
  readonly id: EntryId
  readonly delta: Doc
  /** What its author acted under, and how strong that was. */
  readonly authority: Authority
  readonly permission: Permission
  /** What it grants and revokes, compared with the settings it builds on. */
  readonly changes: readonly AuthorityChange[]
}

/** A revocation that holds: what `authority` wrote counts only where it came before `by`. */
export interface Revocation {
  readonly authority: Authority
  readonly by: EntryId
}

export interface Settled {
  readonly effective: readonly Revocation[]
  /** Settings entries that count for nothing. */
  readonly void: ReadonlySet<EntryId>
  /** Every entry that revokes something, whether that holds or not: who has seen one of them builds on it. */
  readonly revoking: ReadonlySet<EntryId>
  /** Settings entries that granted an authority, void ones included. */
  readonly grants: ReadonlyMap<Authority, readonly EntryId[]>
  /** Equal for equal verdicts: what a materialised state was computed under. */
  readonly key: string
}

interface Candidate extends Revocation {
  readonly rank: number
  /** Where the author's own authority was first granted. */
  readonly since: number
  readonly at: number
}

/**
 * Decides what concurrent changes of the settings come to. A pure function of the entries, so that all replicas agree:
 *
 * 1. A revocation voids what the revoked authority wrote beside it (neither before nor after it).
 * 2. Of revocations that void each other, the senior author's holds: the stronger permission, then the one who was
 *    granted earlier, which nobody can change afterwards by writing on an old branch.
 * 3. What was written under an authority that only void entries granted is void too.
 *
 * @param nodes in canonical order
 * @param ancestorsOf settings entries before an entry, itself included
 */
export function settleRevocations(
  nodes: readonly SettingsNode[],
  ancestorsOf: (id: EntryId) => ReadonlySet<EntryId>,
): Settled {
  const grants = grantsOf(nodes)
  const candidates = candidatesOf(nodes, grants)
  const ancestors = new Map<EntryId, ReadonlySet<EntryId>>()
  const before = (id: EntryId) => {
    const known = ancestors.get(id) ?? ancestorsOf(id)
    ancestors.set(id, known)
    return known
  }
  // Each round can only find more that is baseless, so this ends.
  for (const baseless = new Set<EntryId>(); ; ) {
    const { effective, voided } = decide(nodes, candidates, baseless, before)
    const more = nodes.filter(({ id, authority }) => {
      if (voided.has(id) || authority === 'none') return false
      const granted = (grants.get(authority) ?? []).filter((grant) => grant !== id && before(id).has(grant))
      return granted.length > 0 && granted.every((grant) => voided.has(grant))
    })
    if (more.length === 0) {
      const pairs = effective.map(({ authority, by }) => ({ authority, by }))
      const revoking = new Set(candidates.map(({ by }) => by))
      return { effective: pairs, void: voided, revoking, grants, key: settledKey(pairs, voided) }
    }
    for (const { id } of more) baseless.add(id)
  }
}

export function settledKey(effective: readonly Revocation[], voided: ReadonlySet<EntryId>): string {
  if (effective.length === 0) return ''
  return JSON.stringify([
    effective.map(({ authority, by }) => `${authority} ${by}`).sort(),
    sortedIds(voided),
  ])
}

function decide(
  nodes: readonly SettingsNode[],
  candidates: readonly Candidate[],
  baseless: ReadonlySet<EntryId>,
  before: (id: EntryId) => ReadonlySet<EntryId>,
): { readonly effective: readonly Candidate[]; readonly voided: Set<EntryId> } {
  const voided = new Set(baseless)
  const effective: Candidate[] = []
  const holds = new Set<EntryId>()
  for (const candidate of candidates) {
    if (voided.has(candidate.by)) continue
    effective.push(candidate)
    holds.add(candidate.by)
    for (const { id, authority } of nodes) {
      if (authority !== candidate.authority || holds.has(id)) continue
      if (!before(candidate.by).has(id) && !before(id).has(candidate.by)) voided.add(id)
    }
  }
  return { effective, voided }
}

function grantsOf(nodes: readonly SettingsNode[]): Map<Authority, EntryId[]> {
  const grants = new Map<Authority, EntryId[]>()
  for (const { id, changes } of nodes)
    for (const { authority, kind } of changes) {
      if (kind === 'granted') grants.set(authority, [...(grants.get(authority) ?? []), id])
    }
  return grants
}

/** Senior authors first. */
function candidatesOf(
  nodes: readonly SettingsNode[],
  grants: ReadonlyMap<Authority, readonly EntryId[]>,
): Candidate[] {
  const places = new Map(nodes.map(({ id }, i) => [id, i]))
  const candidates = nodes.flatMap(({ id, authority: author, permission, changes }, at) => {
    const since = places.get(grants.get(author)?.[0] ?? id) ?? at
    return changes.flatMap(({ authority, kind }): Candidate[] => {
      return kind === 'revoked' ? [{ authority, by: id, rank: rankOf(permission), since, at }] : []
    })
  })
  return candidates.sort((a, b) => b.rank - a.rank || a.since - b.since || a.at - b.at)
}
