import { join } from 'node:path'
import { type Announcement, npubOf } from '../grasp/announcement.ts'
import type { KeptRepositories } from '../grasp/kept-repositories.ts'
import { maintainersOf } from '../grasp/maintainers.ts'
import { BareRepository } from './bare-repository.ts'
import type { GitCommand } from './git-command.ts'
import type { GitNeed } from './git-need.ts'

/** One owner's repository, as it is kept here. */
export interface KeptRepository {
  readonly owner: string
  /** Who may speak for it, its owner among them. */
  readonly members: ReadonlySet<string>
  /** Where its members say it can be cloned, its owner's places first. */
  readonly clones: readonly string[]
  readonly bare: BareRepository
}

/** What most file systems take as a name. */
const maxNameBytes = 255

/** `<npub>/<identifier>.git`, percent-encoded so that no name leads anywhere else; undefined for one no disk would take. */
export function repositoryPath(root: string, owner: string, identifier: string): string | undefined {
  if (!identifier.isWellFormed()) return undefined
  const name = `${encodeURIComponent(identifier)}.git`
  return name.length > maxNameBytes ? undefined : join(root, npubOf(owner), name)
}

/** Every kept repository of one name; they share whatever objects any of them has. */
export class RepositorySet {
  readonly repositories: readonly KeptRepository[]

  private constructor(repositories: readonly KeptRepository[]) {
    this.repositories = repositories
  }

  static async load(
    identifier: string,
    { kept, root, git }: { readonly kept: KeptRepositories; readonly root: string; readonly git: GitCommand },
  ): Promise<RepositorySet> {
    const announcements = await kept.announcementsOf(identifier)
    return new RepositorySet(
      announcements.flatMap((announcement) => {
        const { owner } = announcement
        const path = repositoryPath(root, owner, identifier)
        if (path === undefined || kept.unwanted(announcement) !== undefined) return []
        const members = maintainersOf(owner, announcements)
        return [
          { owner, members, clones: clonesOf(members, announcements), bare: new BareRepository(path, git) },
        ]
      }),
    )
  }

  /** The repositories that want what `author` says of this name. */
  wanting({ addressed }: GitNeed, author: string): readonly KeptRepository[] {
    return this.repositories.filter(({ members }) => isFor(members, author, addressed))
  }

  /** In which repository each of `ids` is; what is in none is left out. */
  async locate(ids: Iterable<string>, signal: AbortSignal): Promise<ReadonlyMap<string, BareRepository>> {
    const missing = new Set(ids)
    const found = new Map<string, BareRepository>()
    for (const { bare } of this.repositories) {
      if (missing.size === 0) break
      for (const id of (await bare.types(missing, signal)).keys()) {
        found.set(id, bare)
        missing.delete(id)
      }
    }
    return found
  }
}

/** A state speaks for those its author may speak for; a pull request is for whoever shares a maintainer with its addressees. */
export function isFor(
  members: ReadonlySet<string>,
  author: string,
  addressed: ReadonlySet<string> | undefined,
): boolean {
  return addressed === undefined ? members.has(author) : !members.isDisjointFrom(addressed)
}

function clonesOf(members: ReadonlySet<string>, announcements: readonly Announcement[]): readonly string[] {
  const byOwner = new Map(announcements.map((announcement) => [announcement.owner, announcement]))
  return [...new Set([...members].flatMap((member) => byOwner.get(member)?.clones ?? []))]
}
