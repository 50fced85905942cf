import { DocumentError } from '../document-error.ts'
import { maxValueDepth } from '../document-limits.ts'
import { compareNames } from '../entry/entry.ts'
import { Doc, type DocValue, deleted, List, type ListItem, toInt } from './doc.ts'
import { comparePositions, isTooLong, reduced } from './position.ts'

/** A number as written, where JavaScript's own would round it. */
class BigNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

/**
 * The payload of a Doc: `{"children":{…}}`, with `"_a":true` when atomic; keys sorted, so that equal Docs have equal
 * bytes. Values are tagged: `"Null"`, `{"Bool":…}`, `{"Int":…}`, `{"Text":…}`, `{"Doc":…}`, `{"List":[[pos,value],…]}`,
 * `"Deleted"`; and `{"NewList":…}` for a list that replaces what was there.
 */
export function encodeDoc(doc: Doc): Uint8Array {
  return Buffer.from(JSON.stringify(docToJson(doc)))
}

/** Throws `document/bad-value` for anything `encodeDoc` could not have written. */
export function decodeDoc(bytes: Uint8Array): Doc {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  let json: unknown
  try {
    // Reading each number's source is slow, and needed only where one is long.
    json = /\d{16}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text)
  } catch (cause) {
    throw new DocumentError('document/bad-value', 'a document is not JSON', { cause })
  }
  return docFromJson(json, 0)
}

function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value
  return new BigNumber(context.source)
}

export function docToJson(doc: Doc): object {
  const children: Record<string, unknown> = Object.create(null)
  for (const key of [...doc.children.keys()].sort(compareNames))
    children[key] = valueToJson(doc.children.get(key)!)
  return doc.atomic ? { children, _a: true } : { children }
}

function valueToJson(value: DocValue): unknown {
  if (value === null) return 'Null'
  if (value === deleted) return 'Deleted'
  if (typeof value === 'boolean') return { Bool: value }
  if (typeof value === 'string') return { Text: value }
  if (typeof value === 'number' || typeof value === 'bigint') return { Int: rawNumber(value) }
  if (value instanceof Doc) return { Doc: docToJson(value) }
  const items = value.items.map(({ position: { numerator, denominator, uniqueId }, value }) => [
    { numerator: rawNumber(numerator), denominator: rawNumber(denominator), unique_id: uniqueId },
    valueToJson(value),
  ])
  return value.atomic ? { NewList: items } : { List: items }
}

interface RawJson {
  rawJSON(text: string): unknown
}

function rawNumber(value: number | bigint): unknown {
  return typeof value === 'number' ? value : (JSON as unknown as RawJson).rawJSON(String(value))
}

function docFromJson(json: unknown, depth: number): Doc {
  if (depth > maxValueDepth) throw bad('it is nested too deep')
  const { children, _v = 0, _a = false, ...others } = recordOf(json)
  if (_v !== 0) throw bad('its version is not 0')
  if (typeof _a !== 'boolean' || Object.keys(others).length > 0) throw bad('it has an unknown field')
  const pairs = Object.entries(recordOf(children)).map(([key, value]): [string, DocValue] => {
    return [key, valueFromJson(value, depth + 1)]
  })
  return new Doc(pairs, _a)
}

function valueFromJson(json: unknown, depth: number): DocValue {
  if (json === 'Null') return null
  if (json === 'Deleted') return deleted
  const [[kind, value] = ['', undefined], ...others] = Object.entries(recordOf(json))
  if (others.length > 0) throw bad('a value has two kinds')
  if (kind === 'Doc') return docFromJson(value, depth)
  if (kind === 'List' || kind === 'NewList') return listFromJson(value, kind === 'NewList', depth)
  if (kind === 'Text' && typeof value === 'string') return value
  if (kind === 'Bool' && typeof value === 'boolean') return value
  if (kind === 'Int') return toInt(integerOf(value))
  throw bad(`a value is not a known kind (${kind.slice(0, 20)})`)
}

function listFromJson(json: unknown, atomic: boolean, depth: number): List {
  if (depth > maxValueDepth) throw bad('it is nested too deep')
  if (!Array.isArray(json)) throw bad('a list is no list')
  const items = json.map((item: unknown): ListItem => {
    if (!Array.isArray(item) || item.length !== 2) throw bad('a list item is no pair')
    const { numerator, denominator, unique_id } = recordOf(item[0])
    const [over, under] = [integerOf(numerator), integerOf(denominator)]
    if (under <= 0n || isTooLong(over) || isTooLong(under)) throw bad('a position is out of range')
    if (typeof unique_id !== 'string' || unique_id.length > 64) throw bad('a position has no name')
    return { position: reduced(over, under, unique_id), value: valueFromJson(item[1], depth + 1) }
  })
  items.sort((a, b) => comparePositions(a.position, b.position))
  for (let i = 1; i < items.length; i++)
    if (comparePositions(items[i - 1]!.position, items[i]!.position) === 0)
      throw bad('a position is there twice')
  return new List(items, atomic)
}

/** 20,000 digits are what a position may have; more would take long to read. */
const maxDigits = 20_000

function integerOf(json: unknown): bigint {
  if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json)
  if (json instanceof BigNumber && json.source.length <= maxDigits && /^-?\d+$/.test(json.source))
    return BigInt(json.source)
  throw bad('a number is no integer')
}

function recordOf(json: unknown): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Record<string, unknown>
  throw bad('an object is missing')
}

function bad(why: string): DocumentError {
  return new DocumentError('document/bad-value', `a document is not readable: ${why}`)
}
