import { isDeepStrictEqual } from 'node:util'
import type { Link, LinkId } from '../../kernel/link.ts'
import type { PeerId } from '../../kernel/peer.ts'
import type { DefinedLink } from '../../planes/events/definition/definition-links.ts'
import { canonicalFilter, filterHash } from '../../planes/events/filter-hash.ts'
import type { EventsScope } from '../../planes/events/sync/attempt-state.ts'

/** How the links of a server become those its definition asks for. */
export interface LinkPlan {
  /** New or changed; the others stay as they are. */
  readonly put: readonly Link[]
  /** Of those, the ones that were there before: what runs of them runs by an old wish. */
  readonly changed: ReadonlySet<LinkId>
}

/**
 * Keeps a link, and with it its checkpoint, wherever its filter is still wanted: the same filter in the same direction
 * first, then the same filter, then one that differs only in its bounds of time, as coverage says by itself what time it
 * is about. What nobody asks for any more retires, and comes back with its checkpoint when it is asked for in time.
 */
export function planLinks(options: {
  readonly existing: readonly Link[]
  readonly defined: readonly DefinedLink[]
  readonly peer: PeerId
  readonly now: number
  readonly newId: () => LinkId
}): LinkPlan {
  const { existing, defined, peer, now, newId } = options
  const left = new Set(existing.toSorted((a, b) => Number(isRetired(a)) - Number(isRetired(b))))
  const open = new Map(defined.map((wish) => [wish, canonicalFilter(wish.filter)]))
  const put: Link[] = []
  const changed = new Set<LinkId>()
  const likenesses: ((link: Link, wish: DefinedLink, key: string) => boolean)[] = [
    (link, wish, key) => link.scopeKey === key && link.direction === wish.direction,
    (link, _, key) => link.scopeKey === key,
    (link, wish) => filterHash((link.scope as EventsScope).filter) === filterHash(wish.filter),
  ]
  for (const isAlike of likenesses)
    for (const [wish, key] of open) {
      const known = [...left].find((link) => isAlike(link, wish, key))
      if (known === undefined) continue
      left.delete(known)
      open.delete(wish)
      const link = toLink(wish, key, peer, known.id)
      if (isDeepStrictEqual(link, known)) continue
      put.push(link)
      changed.add(link.id)
    }
  for (const link of left) {
    if (isRetired(link)) continue
    put.push({ ...link, enabled: false, retiredAt: now })
    changed.add(link.id)
  }
  for (const [wish, key] of open) put.push(toLink(wish, key, peer, newId()))
  return { put, changed }
}

export function isRetired({ retiredAt }: Link): boolean {
  return retiredAt !== undefined
}

export function toLink(
  { direction, filter, live, schedule }: DefinedLink,
  scopeKey: string,
  peer: PeerId,
  id: LinkId,
): Link {
  return { id, peer, plane: 'events', scope: { filter }, scopeKey, direction, live, enabled: true, schedule }
}
