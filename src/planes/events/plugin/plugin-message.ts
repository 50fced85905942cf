import { isIPv4 } from 'node:net'
import type { NostrEvent } from '../event.ts'
import type { PolicyContext } from '../write-policy.ts'

/** What a plugin decides about one event. `message` is empty where it gave none. */
export interface PluginVerdict {
  readonly action: 'accept' | 'reject' | 'shadowReject'
  readonly message: string
}

/** One line from the plugin: its verdict on an event, or `undefined` for the verdict when it makes no sense. */
export interface PluginAnswer {
  readonly id: string
  readonly verdict: PluginVerdict | undefined
}

const maxMessageLength = 500

/** The line of a write-policy plugin's standard input for one event (spec events §7.4), newline included. */
export function requestLine(
  { id, pubkey, created_at, kind, tags, content, sig }: NostrEvent,
  { source, remote, peer, authenticated, nowSeconds }: PolicyContext,
): string {
  const event = { id, pubkey, created_at, kind, tags, content, sig }
  const authed = authenticated[0]
  // Ours on top of the protocol, for one program that decides about many relays.
  const about = peer && { peerId: peer.id, link: peer.link, labels: peer.labels }
  const request = { type: 'new', event, receivedAt: nowSeconds, ...sender(source, remote), authed, ...about }
  return `${JSON.stringify(request)}\n`
}

/** A line of the plugin's standard output; undefined when it answers nothing, like a stray line of debug output. */
export function parseAnswer(line: string): PluginAnswer | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof answer !== 'object' || answer === null) return undefined
  const { id, action, msg } = answer as { id?: unknown; action?: unknown; msg?: unknown }
  if (typeof id !== 'string') return undefined
  if (action !== 'accept' && action !== 'reject' && action !== 'shadowReject')
    return { id, verdict: undefined }
  const message = typeof msg === 'string' ? printable(msg) : ''
  return { id, verdict: { action, message } }
}

function sender(source: PolicyContext['source'], remote: string): { sourceType: string; sourceInfo: string } {
  if (source === 'import') return { sourceType: 'Import', sourceInfo: '' }
  if (source === 'sync') return { sourceType: 'Sync', sourceInfo: remote }
  // What a listener on both families says of a client that came by IPv4; plugins compare with the plain form.
  const address = remote.replace(/^::ffff:(?=\d+\.)/i, '')
  return { sourceType: isIPv4(address) ? 'IP4' : 'IP6', sourceInfo: address }
}

/** The message goes on to clients and into logs, so it is kept to one line of ordinary length. */
function printable(message: string): string {
  return message
    .slice(0, maxMessageLength)
    .replace(/\p{Cc}+/gu, ' ')
    .toWellFormed()
    .trim()
}
