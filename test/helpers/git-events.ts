import type { NostrEvent } from '../../src/planes/events/event.ts'

/** 64 hex that stand for a key or an id; stores do not look behind them. */
export const hex = (n: number): string => n.toString(16).padStart(64, '0')

/** An unsigned event with an id of its own, for what is not asked who signed it. */
export function unsigned(
  kind: number,
  tags: readonly string[][],
  parts: Partial<NostrEvent> = {},
): NostrEvent {
  return {
    id: hex(1),
    pubkey: hex(0xa),
    created_at: 100,
    kind,
    tags,
    content: '',
    sig: '0'.repeat(128),
    ...parts,
  }
}

export const repositoryRef = (d: string, pubkey = hex(0xa)): string => `30617:${pubkey}:${d}`

/** The announcement of a repository on these relays. */
export function repositoryEvent(
  d: string,
  relays: readonly string[],
  parts: Partial<NostrEvent> = {},
): NostrEvent {
  return unsigned(
    30_617,
    [
      ['d', d],
      ['relays', ...relays],
    ],
    parts,
  )
}

/** An issue about a repository. */
export function issueEvent(repository: string, parts: Partial<NostrEvent> = {}): NostrEvent {
  return unsigned(1_621, [['a', repository]], parts)
}
