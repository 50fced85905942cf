import type { RepositoryState } from '../grasp/repository-state.ts'

/** What makes a repository's branches and tags those of a state. */
export interface RefPlan {
  readonly remove: readonly string[]
  readonly put: ReadonlyMap<string, string>
  /** The branch `HEAD` is to point to; undefined: it stays. */
  readonly head: string | undefined
}

/**
 * @param current branches and tags there are
 * @param types of the objects that are here: a branch is only ever a commit, and git refuses a whole transaction for one that is not
 */
export function planRefs(
  { refs, head }: Pick<RepositoryState, 'refs' | 'head'>,
  current: ReadonlyMap<string, string>,
  types: ReadonlyMap<string, string>,
): RefPlan {
  const wanted = new Map(
    [...refs].filter(([name, id]) => {
      const type = types.get(id)
      const fits = name.startsWith('refs/heads/') ? type === 'commit' : type !== undefined
      return fits && !ancestorsOf(name).some((ancestor) => refs.has(ancestor))
    }),
  )
  return {
    remove: [...current.keys()].filter((name) => !wanted.has(name)),
    put: new Map([...wanted].filter(([name, id]) => current.get(name) !== id)),
    head: head !== undefined && wanted.has(head) ? head : undefined,
  }
}

/** A ref is a file and its ancestors are folders: `a` and `a/b` cannot both be there, whatever a state says. */
function ancestorsOf(name: string): string[] {
  const parts = name.split('/')
  return parts.slice(3).map((_, at) => parts.slice(0, at + 3).join('/'))
}
