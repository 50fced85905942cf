import type {
  DatabaseDetail,
  DatabaseSummary,
  DocumentsStatus,
  LinkView,
} from '../node/documents/documents-control.ts'
import { number } from './progress-line.ts'
import { ago, until } from './time-words.ts'

/** Documents in a status, for a person. */
export function documentsLines(documents: DocumentsStatus | undefined, now: number): string[] {
  if (documents === undefined) return []
  const { healthy, problem, databases, entries, peers, links, pending_requests } = documents
  if (!healthy) return [`Documents are not in order: ${problem ?? 'no reason is known'}.`]
  const { total, shared, awaited } = databases
  const held = entries.unverified === 0 ? '' : `, ${number(entries.unverified)} waiting for others`
  const bad = entries.failed === 0 ? '' : `, ${number(entries.failed)} found bad`
  const lines = [
    `Documents: ${count(total, 'database')} (${number(shared)} shared), ${count(entries.verified, 'entry', 'entries')}${held}${bad}; ${count(peers, 'peer')}, ${number(links.in_step)} of ${count(links.total, 'copy', 'copies')} in step.`,
  ]
  if (awaited > 0)
    lines.push(`  ${count(awaited, 'database')} joined, and not here yet: "syncline doc list" shows them`)
  if (pending_requests > 0)
    lines.push(`  ${count(pending_requests, 'request')} for access to decide: "syncline doc requests"`)
  const { last_failure: failure, next_attempt_at: next } = documents
  if (failure !== null)
    lines.push(
      `  ${short(failure.database)} with ${short(failure.peer)} failed ${ago(Date.parse(failure.at), now)}: ${failure.message}`,
    )
  if (next !== null) lines.push(`  next sync ${until(Date.parse(next), now)}`)
  return lines
}

/** One line for a list. */
export function databaseRow({
  id,
  name,
  state,
  entries,
  shared,
  peers,
  permission,
}: DatabaseSummary): string {
  const what =
    state === 'awaited'
      ? 'waits for access'
      : `${count(entries, 'entry', 'entries')}, you: ${permission ?? 'nothing'}`
  const how = shared ? `shared with ${count(peers, 'peer')}` : 'not shared'
  return `${id}  ${name ?? '(no name)'}  ${what}, ${how}`
}

export function databaseText(database: DatabaseDetail, now: number): string {
  const { id, name, stores, keys, everybody, links, tips, held, failed, awaited } = database
  if (database.state === 'awaited' && awaited !== null)
    return [
      `${id}: nothing of it is here yet.`,
      `Asked for ${awaited.permission} ${ago(Date.parse(awaited.asked_at), now)}; request ${awaited.request} waits at ${awaited.peer}.`,
      ...links.map((link) => linkText(link, now)),
    ].join('\n')
  const waiting = held === 0 ? '' : `, ${number(held)} more wait for others`
  const bad = failed === 0 ? '' : `, ${number(failed)} were found bad`
  return [
    `${name ?? '(no name)'}  ${id}`,
    `${count(database.entries, 'entry', 'entries')}${waiting}${bad}; ${database.shared ? 'shared' : 'not shared'}; this node may: ${database.permission ?? 'nothing'}`,
    ...(awaited === null
      ? []
      : [`asked for ${awaited.permission} ${ago(Date.parse(awaited.asked_at), now)}, not seen to be given`]),
    ...stores.map(({ name: store, type }) => `store ${store}  ${type}`),
    ...keys.map(({ key, name: label, permission, status, own }) => {
      const whose = own ? ' (this node)' : ''
      return `key ${key}  ${permission}${status === 'revoked' ? ', revoked' : ''}  ${label ?? ''}${whose}`.trimEnd()
    }),
    ...(everybody === null ? [] : [`everybody  ${everybody}`]),
    ...links.map((link) => linkText(link, now)),
    ...tips.map((tip) => `tip ${tip}`),
  ].join('\n')
}

function linkText(
  { peer, in_step, last_success_at, last_error, next_attempt_at }: LinkView,
  now: number,
): string {
  const state = in_step ? 'has all there is here' : 'lacks some of it'
  const last =
    last_success_at === null ? 'never synced' : `last synced ${ago(Date.parse(last_success_at), now)}`
  const failed = last_error === null ? '' : `; failed since: ${last_error}`
  const next = next_attempt_at === null ? '' : `; next ${until(Date.parse(next_attempt_at), now)}`
  return `peer ${peer}  ${state}, ${last}${failed}${next}`
}

export function count(n: number, one: string, several = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : several}`
}

/** Enough of an id or key to recognise it. */
function short(id: string): string {
  return `${id.slice(0, 20)}…`
}
