import type { NostrEvent } from '../../src/planes/events/event.ts'
import { createSigner, type EventTemplate, generateSecretKey } from '../../src/planes/events/signer.ts'

export interface Author {
  readonly pubkey: string
  /** A signed event; what is left out is a note written now. */
  write(parts?: Partial<EventTemplate>): NostrEvent
  /** The answer to a relay's challenge (NIP-42). */
  authenticate(relay: string, challenge: string, parts?: Partial<EventTemplate>): NostrEvent
}

/** Somebody with a key of his own. @param now seconds since 1970 */
export function newAuthor(now: () => number = () => Math.floor(Date.now() / 1_000)): Author {
  const signer = createSigner(generateSecretKey())
  const write = (parts: Partial<EventTemplate> = {}) =>
    signer.sign({ created_at: now(), kind: 1, tags: [], content: '', ...parts })
  return {
    pubkey: signer.pubkey,
    write,
    authenticate: (relay, challenge, parts = {}) => {
      const tags = [
        ['relay', relay],
        ['challenge', challenge],
      ]
      return write({ kind: 22_242, tags, ...parts })
    },
  }
}
