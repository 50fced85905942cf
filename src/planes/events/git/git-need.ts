import type { NostrEvent } from '../event.ts'
import { announcementKind } from '../grasp/announcement.ts'
import { isObjectId, parseState, stateKind } from '../grasp/repository-state.ts'

/** NIP-34. */
export const pullRequestKinds: readonly number[] = [1_618, 1_619]

/** What an event needs of a repository before it may be served. */
export interface GitNeed {
  readonly identifier: string
  readonly ids: readonly string[]
  /** Whose repositories it says it is for; undefined: everybody's for whom its author may speak. */
  readonly addressed: ReadonlySet<string> | undefined
  /** Where it says that its objects are, besides where the repository is. */
  readonly clones: readonly string[]
}

/** Undefined for what needs no git data: other kinds, and what names no object that could be looked for. */
export function gitNeedOf(event: NostrEvent): GitNeed | undefined {
  if (event.kind === stateKind) {
    const state = parseState(event)
    if (state === undefined) return undefined
    const ids = [...new Set(state.refs.values())]
    return { identifier: state.identifier, ids, addressed: undefined, clones: [] }
  }
  if (!pullRequestKinds.includes(event.kind)) return undefined
  const commit = event.tags.find(([name]) => name === 'c')?.[1] ?? ''
  const addresses = event.tags.flatMap(([name, value]) => (name === 'a' ? repositoryOf(value) : []))
  const [first] = addresses
  if (!isObjectId(commit) || first === undefined) return undefined
  return {
    identifier: first.identifier,
    ids: [commit],
    addressed: new Set(addresses.map(({ owner }) => owner)),
    clones: event.tags.flatMap(([name, ...values]) => (name === 'clone' ? values : [])),
  }
}

/** An identifier may hold any character, a colon among them. */
function repositoryOf(address = ''): { readonly owner: string; readonly identifier: string }[] {
  const [, kind, owner, identifier] = /^(\d+):([0-9a-f]{64}):(.+)$/s.exec(address) ?? []
  if (kind !== String(announcementKind) || owner === undefined || identifier === undefined) return []
  return [{ owner, identifier }]
}

/** The key by which everything held for want of git data of this name is found. */
export function gitKey(identifier: string): string {
  return `git:${identifier}`
}

/** Held beside it for what a client sent: its push is expected before anybody is asked for the data. */
export function pushKey(identifier: string): string {
  return `git-push:${identifier}`
}

/** What a key of a held event is for; undefined: it is none of git's. */
export function parseGitKey(
  key: string,
): { readonly identifier: string; readonly awaitsPush: boolean } | undefined {
  const [, word, identifier] = /^(git|git-push):(.*)$/s.exec(key) ?? []
  return identifier === undefined ? undefined : { identifier, awaitsPush: word === 'git-push' }
}
