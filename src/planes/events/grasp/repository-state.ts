import type { NostrEvent } from '../event.ts'

/** NIP-34. */
export const stateKind = 30_618

/** What a state event says the refs of a repository are. */
export interface RepositoryState {
  readonly event: NostrEvent
  readonly identifier: string
  /** Full ref name, below `refs/heads/` or `refs/tags/`, to object id. */
  readonly refs: ReadonlyMap<string, string>
  /** Full name of the branch `HEAD` points to. */
  readonly head: string | undefined
}

const objectId = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/** SHA-1 or SHA-256, in full. */
export function isObjectId(text: string): boolean {
  return objectId.test(text)
}

const refName = /^refs\/(?:heads|tags)\/./

/**
 * Undefined for what is no state. Left out are symbolic refs and the peeled form of tags (`^{}`), which need no object, and
 * everything git would not take as a ref: what is written to disk later has been looked at here.
 */
export function parseState(event: NostrEvent): RepositoryState | undefined {
  const identifier = event.tags.find(([name]) => name === 'd')?.[1]
  if (event.kind !== stateKind || identifier === undefined || identifier === '') return undefined
  const refs = new Map<string, string>()
  let head: string | undefined
  for (const [name = '', value = ''] of event.tags) {
    if (name === 'HEAD') head = headOf(value) ?? head
    else if (isRef(name) && isObjectId(value)) refs.set(name, value)
  }
  return { event, identifier, refs, head }
}

/** With or without the `ref: ` of git's own file. */
function headOf(value: string): string | undefined {
  const name = value.replace(/^ref:\s*/, '')
  return name.startsWith('refs/heads/') && isRef(name) ? name : undefined
}

/** The rules of git-check-ref-format. */
function isRef(name: string): boolean {
  return (
    refName.test(name) &&
    name.length <= 1_024 &&
    !name.endsWith('^{}') &&
    !/[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|(?:^|\/)\.|\.lock(?:\/|$)/.test(name)
  )
}

/** Which of two states of one repository stands (NIP-01): the later, of equal ones the lower id. */
export function isNewerState(a: NostrEvent, b: NostrEvent): boolean {
  return a.created_at !== b.created_at ? a.created_at > b.created_at : a.id < b.id
}
