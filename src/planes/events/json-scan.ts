import { EventError } from './event-error.ts'

/** Where a piece of the text starts, and where it ends (exclusive). Whitespace around it is left out. */
export type Span = readonly [start: number, end: number]

export interface MemberSpan {
  /** With its quotes. */
  readonly key: Span
  readonly value: Span
}

export interface ScanBounds {
  /** Brackets within brackets; at most 30. */
  readonly maxDepth: number
  /** UTF-16 units of the text. */
  readonly maxLength: number
}

/** No frame and no event of NIP-01 nests deeper than 3 or holds more than a few dozen entries at its top. */
const defaultBounds: ScanBounds = { maxDepth: 16, maxLength: 16 * 1024 * 1024 }
const maxEntries = 4_096

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * May the text be given to JSON.parse? A megabyte of `[` keeps it busy for 150 ms, and what recurses over the result
 * overflows (incident I19); this stops at the first bracket too many. Says nothing about whether it is JSON.
 */
export function isShallow(text: string, maxDepth: number = defaultBounds.maxDepth): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = stringEnd(text, at)
      if (at < 0) return true
    } else if (code === openBracket || code === openBrace) {
      if (++depth > maxDepth) return false
    } else if (code === closeBracket || code === closeBrace) depth--
  }
  return true
}

/**
 * The elements of a JSON array, without parsing them: so a relay's `["EVENT","sub",{…}]` yields the sender's own text of
 * the event. What lies inside an element is not checked beyond its brackets and strings; JSON.parse does that later.
 *
 * @throws EventError `event/too-deep`, `event/too-large`, or `event/not-json` when it is no array
 */
export function elementSpans(text: string, bounds: ScanBounds = defaultBounds): Span[] {
  const marks = topMarks(text, openBracket, bounds)
  const spans: Span[] = []
  for (let i = 1; i < marks.length; i++) {
    if (text.charCodeAt(marks[i]!) === colon) throw notJson()
    spans.push(trimmed(text, marks[i - 1]! + 1, marks[i]!))
  }
  // `[]` has one element of nothing; anywhere else an element of nothing is a mistake.
  if (spans.length === 1 && isNothing(spans[0]!)) return []
  if (spans.some(isNothing)) throw notJson()
  return spans
}

/**
 * The members of a JSON object in their order, duplicates included. See {@link elementSpans}.
 *
 * @throws EventError `event/too-deep`, `event/too-large`, or `event/not-json` when it is no object
 */
export function memberSpans(text: string, bounds: ScanBounds = defaultBounds): MemberSpan[] {
  const marks = topMarks(text, openBrace, bounds)
  const members: MemberSpan[] = []
  for (let i = 1; i < marks.length; i += 2) {
    const [before, after, end] = [marks[i - 1]!, marks[i]!, marks[i + 1]]
    const key = trimmed(text, before + 1, after)
    // Only an empty object has no colon before its end.
    if (end === undefined && i === 1 && isNothing(key)) return []
    if (end === undefined || text.charCodeAt(after) !== colon || text.charCodeAt(end) === colon)
      throw notJson()
    if (text.charCodeAt(key[0]) !== quote || stringEnd(text, key[0]) !== key[1] - 1) throw notJson()
    const value = trimmed(text, after + 1, end)
    if (isNothing(value)) throw notJson()
    members.push({ key, value })
  }
  return members
}

/** The opening bracket, the commas and colons directly inside it, and the closing bracket. */
function topMarks(text: string, opening: number, { maxDepth, maxLength }: ScanBounds): number[] {
  if (text.length > maxLength)
    throw new EventError('event/too-large', 'invalid', `the text is longer than ${maxLength} characters`)
  const first = skipSpace(text, 0)
  if (text.charCodeAt(first) !== opening) throw notJson()
  const marks = [first]
  let depth = 1
  // One bit per open bracket, the innermost last: 1 for a brace.
  let braces = opening === openBrace ? 1 : 0
  for (let at = first + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = stringEnd(text, at)
      if (at < 0) throw notJson()
    } else if (code === openBracket || code === openBrace) {
      if (++depth > maxDepth) throw tooDeep(maxDepth)
      braces = (braces << 1) | (code === openBrace ? 1 : 0)
    } else if (code === closeBracket || code === closeBrace) {
      if ((braces & 1) !== (code === closeBrace ? 1 : 0)) throw notJson()
      braces >>= 1
      if (--depth > 0) continue
      marks.push(at)
      if (skipSpace(text, at + 1) !== text.length) throw notJson()
      return marks
    } else if (depth === 1 && (code === comma || code === colon)) {
      if (marks.push(at) > 2 * maxEntries)
        throw new EventError('event/too-large', 'invalid', 'too many entries')
    }
  }
  throw notJson()
}

/** Index of the closing quote of the string that opens at `start`, -1 when it does not end. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before--
    // An even number of backslashes escape each other, not the quote.
    if ((end - before) % 2 === 1) return end
  }
  return -1
}

function trimmed(text: string, from: number, to: number): Span {
  const start = skipSpace(text, from)
  let end = to
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return [Math.min(start, end), end]
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** The four characters JSON takes for whitespace. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

function isNothing([start, end]: Span): boolean {
  return start === end
}

function notJson(): EventError {
  return new EventError('event/not-json', 'invalid', 'not JSON')
}

function tooDeep(maxDepth: number): EventError {
  return new EventError('event/too-deep', 'invalid', `nested deeper than ${maxDepth}`)
}
