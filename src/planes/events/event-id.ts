import { hash } from 'node:crypto'
import type { NostrEvent } from './event.ts'

type Unsigned = Omit<NostrEvent, 'id' | 'sig'>

/**
 * What an id is the hash of (NIP-01). JSON.stringify escapes exactly what the de-facto form escapes: quote, backslash
 * and control characters, `\u00xx` where no short form exists; not `/`, not U+007F, nothing beyond ASCII.
 */
function canonicalEvent({ pubkey, created_at, kind, tags, content }: Unsigned): string {
  return JSON.stringify([0, pubkey, created_at, kind, tags, content])
}

/** 64 hex. */
export function eventId(event: Unsigned): string {
  return hash('sha256', canonicalEvent(event), 'hex')
}

/** The seven fields and nothing else, as we write events ourselves. */
export function serializeEvent({ id, pubkey, created_at, kind, tags, content, sig }: NostrEvent): string {
  return JSON.stringify({ id, pubkey, created_at, kind, tags, content, sig })
}
