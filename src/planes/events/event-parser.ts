import type { NostrEvent, ParsedEvent } from './event.ts'
import { EventError, type EventErrorCode } from './event-error.ts'
import { eventId, serializeEvent } from './event-id.ts'
import { isShallow, type MemberSpan, memberSpans } from './json-scan.ts'
import type { Limits } from './limits.ts'

type EventLimits = Pick<
  Limits,
  'maxEventBytes' | 'maxJsonDepth' | 'maxTags' | 'maxTagValueBytes' | 'maxContentLength'
>

const fieldNames = ['id', 'pubkey', 'created_at', 'kind', 'tags', 'content', 'sig'] as const
type FieldName = (typeof fieldNames)[number]

const hex64 = /^[0-9a-f]{64}$/
const hex128 = /^[0-9a-f]{128}$/
/** A JSON number that is written as a whole number ≥ 0. JSON.parse would not tell 1e400, 1.0 or 2^53+1 from others. */
const wholeNumber = /^(?:0|[1-9]\d{0,15})$/
const escapedSurrogate = /\\u[dD][89a-fA-F]/

/**
 * Checks an event's shape (NIP-01, spec events §6.1) and that its id is the hash of exactly what was received. The
 * signature is left to a verifier.
 *
 * @param raw JSON text of one event
 * @throws EventError whose `reason` is the text of the OK
 */
export function parseEvent(raw: string, limits: EventLimits): ParsedEvent {
  const parsed = parseEventShape(raw, limits)
  assertEventId(parsed.event)
  return parsed
}

/** The first half of {@link parseEvent}: everything but the hash, so that a known id can be recognised before it. */
export function parseEventShape(raw: string, limits: EventLimits): ParsedEvent {
  if (utf8Longer(raw, limits.maxEventBytes))
    throw refused('event/too-large', `the event is larger than ${limits.maxEventBytes} bytes`)
  const members = membersOf(raw, limits)
  const lexemes = lexemesOf(raw, members)
  const value = parseJson(raw)
  const event: NostrEvent = {
    id: hexField(value, 'id', hex64),
    pubkey: hexField(value, 'pubkey', hex64),
    created_at: numberField(lexemes, 'created_at', Number.MAX_SAFE_INTEGER),
    kind: numberField(lexemes, 'kind', 65_535),
    tags: tagsField(value.tags, limits),
    content: contentField(value.content, limits),
    sig: hexField(value, 'sig', hex128),
  }
  assertWellFormed(raw, event)
  return { event, raw: storableText(raw, event, members, lexemes) }
}

/** The second half of {@link parseEvent}. @throws EventError `event/wrong-id` */
export function assertEventId(event: NostrEvent): void {
  if (eventId(event) !== event.id) throw refused('event/wrong-id', 'event id does not match')
}

/**
 * The id an event claims, found without parsing it; undefined when there is none to be found. Nothing else about the
 * text is checked, the id least of all. For an event that repeats the field, the answer may be either.
 */
export function peekId(raw: string): string | undefined {
  if (raw.startsWith('{"id":"')) return hexIn(raw, 7)
  if (!raw.includes('"id"')) return undefined
  try {
    const member = memberSpans(raw).find(({ key: [start, end] }) => raw.slice(start, end) === '"id"')
    return member === undefined ? undefined : hexIn(raw, member.value[0] + 1)
  } catch {
    return undefined
  }
}

function hexIn(raw: string, start: number): string | undefined {
  if (raw[start - 1] !== '"' || raw[start + 64] !== '"') return undefined
  const id = raw.slice(start, start + 64)
  return hex64.test(id) ? id : undefined
}

function membersOf(raw: string, { maxJsonDepth, maxEventBytes }: EventLimits): MemberSpan[] {
  try {
    return memberSpans(raw, { maxDepth: maxJsonDepth, maxLength: maxEventBytes })
  } catch (error) {
    if (!(error instanceof EventError) || error.code !== 'event/not-json') throw error
    // JSON, but no object, deserves to be told so. Shallow text costs JSON.parse no more than what it reads.
    if (!isShallow(raw, maxJsonDepth)) throw refused('event/too-deep', `nested deeper than ${maxJsonDepth}`)
    parseJson(raw)
    throw refused('event/not-an-object', 'the event is not a JSON object')
  }
}

/** The text of each field's value. Of a repeated field the last one counts, as it does for JSON.parse. */
function lexemesOf(raw: string, members: readonly MemberSpan[]): ReadonlyMap<string, string> {
  const lexemes = new Map<string, string>()
  for (const { key, value } of members) lexemes.set(keyOf(raw, key), raw.slice(value[0], value[1]))
  return lexemes
}

function keyOf(raw: string, [start, end]: MemberSpan['key']): string {
  const text = raw.slice(start + 1, end - 1)
  return text.includes('\\') ? (parseJson(raw.slice(start, end)) as unknown as string) : text
}

function parseJson(text: string): Readonly<Record<FieldName, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<FieldName, unknown>>
  } catch {
    throw refused('event/not-json', 'the event is not JSON')
  }
}

function hexField(value: Readonly<Record<FieldName, unknown>>, name: FieldName, pattern: RegExp): string {
  const text = value[name]
  if (typeof text === 'string' && pattern.test(text)) return text
  const digits = pattern === hex64 ? 64 : 128
  throw refused('event/bad-field', `${name} must be ${digits} lowercase hex digits`)
}

function numberField(lexemes: ReadonlyMap<string, string>, name: FieldName, max: number): number {
  const lexeme = lexemes.get(name)
  if (lexeme === undefined) throw refused('event/bad-field', `${name} is missing`)
  const value = wholeNumber.test(lexeme) ? Number(lexeme) : Number.NaN
  if (!(value <= max)) throw refused('event/bad-number', `${name} must be a whole number from 0 to ${max}`)
  return value
}

function tagsField(value: unknown, { maxTags, maxTagValueBytes }: EventLimits): string[][] {
  if (!Array.isArray(value)) throw refused('event/bad-field', 'tags must be a list')
  if (value.length > maxTags) throw refused('event/too-many-tags', `more than ${maxTags} tags`)
  for (const tag of value as readonly unknown[]) {
    if (!Array.isArray(tag) || tag.length === 0)
      throw refused('event/bad-field', 'a tag must be a list of at least one string')
    for (const text of tag as readonly unknown[]) {
      if (typeof text !== 'string') throw refused('event/bad-field', 'a tag must hold nothing but strings')
      if (utf8Longer(text, maxTagValueBytes))
        throw refused('event/too-large', `a tag value is larger than ${maxTagValueBytes} bytes`)
    }
  }
  return value
}

function contentField(value: unknown, { maxContentLength }: EventLimits): string {
  if (typeof value !== 'string') throw refused('event/bad-field', 'content must be a string')
  if (charactersMoreThan(value, maxContentLength))
    throw refused('event/too-large', `content is longer than ${maxContentLength} characters`)
  return value
}

/** Half a surrogate pair has no UTF-8, so hashing it would hash something else (incident I18). */
function assertWellFormed(raw: string, { tags, content }: NostrEvent): void {
  const suspicious = !raw.isWellFormed() || escapedSurrogate.test(raw)
  if (!suspicious) return
  if (content.isWellFormed() && tags.every((tag) => tag.every((text) => text.isWellFormed()))) return
  throw refused('event/bad-string', 'a string holds half a surrogate pair')
}

/**
 * The sender's text, unless others could read it differently: then our own. A line break between its fields makes it our
 * own too, as stored events are written one per line.
 */
function storableText(
  raw: string,
  event: NostrEvent,
  members: readonly MemberSpan[],
  lexemes: ReadonlyMap<string, string>,
): string {
  const exact = members.length === fieldNames.length && fieldNames.every((name) => lexemes.has(name))
  if (!exact || raw.includes('\n') || raw.includes('\r')) return serializeEvent(event)
  return raw.trim()
}

/** JSON text is at least as long as its UTF-16 units and at most three bytes for each: mostly no need to count. */
function utf8Longer(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes
}

function charactersMoreThan(text: string, max: number): boolean {
  if (text.length <= max) return false
  if (text.length > 2 * max) return true
  let characters = 0
  for (const _ of text) if (++characters > max) return true
  return false
}

function refused(code: EventErrorCode, message: string): EventError {
  return new EventError(code, 'invalid', message)
}
