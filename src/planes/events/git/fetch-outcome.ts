import type { GitResult } from './git-command.ts'

/** What became of asking one server: a closed set, as it labels a counter. */
export type FetchOutcome =
  | 'complete'
  | 'partial'
  | 'nothing'
  | 'too-big'
  | 'timeout'
  | 'dns'
  | 'tls'
  | 'address'
  | 'failed'
  | 'aborted'

export const fetchOutcomes: readonly FetchOutcome[] = [
  'complete',
  'partial',
  'nothing',
  'too-big',
  'timeout',
  'dns',
  'tls',
  'address',
  'failed',
  'aborted',
]

/** What a whole host is left alone for (specs proactive §7.4, §9.8): it will be no better in a minute, whatever is asked of it. */
export function isNaughty(outcome: FetchOutcome): boolean {
  return outcome === 'dns' || outcome === 'tls' || outcome === 'address'
}

/** Of a run of `git fetch` that failed. Addresses are taken out first: their text is the server's choice. */
export function failureOf({ stopped, stderr }: Pick<GitResult, 'stopped' | 'stderr'>): FetchOutcome {
  if (stopped === 'aborted') return 'aborted'
  if (stopped !== undefined) return 'timeout'
  const text = stderr
    .split('\n')
    .filter((line) => !/^(?:remote:|warning: remote)/i.test(line))
    .join('\n')
    .replace(/(?:https?|git|wss?):\/\/[^\s'">\])]*/gi, 'URL')
    .toLowerCase()
  if (/timed? ?out|operation too slow/.test(text)) return 'timeout'
  if (/could not resolve host|name or service not known/.test(text)) return 'dns'
  if (/certificate|ssl|tls|schannel/.test(text)) return 'tls'
  return 'failed'
}

/** The id a server says it does not have, or does not hand out by its id. */
export function refusedId(stderr: string): string | undefined {
  return /(?:not our ref|request for unadvertised object|remote ref) ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b/.exec(
    stderr,
  )?.[1]
}
