import type { Announcement } from './announcement.ts'

/**
 * Who may speak for a repository: its owner, whom he lists, whom those list in their own announcements of the same
 * identifier, and so on. Listing is one-way: who is listed speaks for the repository of who lists him, not the reverse.
 *
 * @param announcements all of one identifier, one per owner
 */
export function maintainersOf(owner: string, announcements: readonly Announcement[]): ReadonlySet<string> {
  const byOwner = new Map(announcements.map((announcement) => [announcement.owner, announcement]))
  const members = new Set([owner])
  // A set grows while it is walked, and whoever is in it already is not walked again: cycles end.
  for (const member of members)
    for (const listed of byOwner.get(member)?.maintainers ?? []) members.add(listed)
  return members
}

/** The owners among `announcements` for whose repository `author` may speak. */
export function ownersServedBy(author: string, announcements: readonly Announcement[]): readonly string[] {
  return announcements
    .map(({ owner }) => owner)
    .filter((owner) => maintainersOf(owner, announcements).has(author))
}
