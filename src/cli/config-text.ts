/** A value of a configuration text; numbers, `true`, `false` and `null` as in JSON. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | ConfigBlock

export type ConfigBlock = ReadonlyMap<string, ConfigValue>

/** The text is no configuration; `line` counts from 1. */
export class ConfigTextError extends Error {
  override readonly name = 'ConfigTextError'
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** Far more than any router has; what is larger was not written as a configuration. */
const maxCharacters = 1_048_576
const maxDepth = 32

const blank = /(?:\s+|#[^\n]*|\/\/[^\n]*)*/y
const word = /[A-Za-z0-9_-]+/y
const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const quoted = /"(?:[^"\\\n]|\\.)*"/y
const plain = /'[^'\n]*'/y

/**
 * Reads the form strfry's configurations have (taocpp config): `key = value` or `key { … }`, `:` for `=` as in JSON,
 * commas or none, comments from `#` or `//` to the end of the line.
 *
 * @throws ConfigTextError for everything else
 */
export function parseConfigText(text: string): ConfigBlock {
  if (text.length > maxCharacters)
    throw new ConfigTextError(1, `the file is longer than ${maxCharacters} characters`)
  return new Reader(text).document()
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): ConfigBlock {
    return this.#members(undefined, 0)
  }

  /** Up to and including `close`; undefined: to the end of the text. */
  #members(close: '}' | undefined, depth: number): ConfigBlock {
    const members = new Map<string, ConfigValue>()
    for (;;) {
      this.#take(blank)
      if (close === undefined ? this.#at === this.#text.length : this.#skip(close)) return members
      const start = this.#at
      const key = this.#string() ?? this.#take(word)
      if (key === undefined) throw this.#unexpected('a key')
      if (members.has(key)) throw this.#error(`"${key}" stands here a second time`, start)
      this.#take(blank)
      if (!this.#skip('=') && !this.#skip(':') && this.#text[this.#at] !== '{')
        throw this.#unexpected(`"=" or "{" after "${key}"`)
      members.set(key, this.#value(depth + 1))
      this.#take(blank)
      this.#skip(',')
    }
  }

  #value(depth: number): ConfigValue {
    if (depth > maxDepth) throw this.#error(`nested more than ${maxDepth} deep`)
    this.#take(blank)
    if (this.#skip('{')) return this.#members('}', depth)
    if (this.#skip('[')) return this.#list(depth)
    const text = this.#string()
    if (text !== undefined) return text
    const digits = this.#take(number)
    if (digits !== undefined) return Number(digits)
    const start = this.#at
    const name = this.#take(word)
    if (name === 'true' || name === 'false') return name === 'true'
    if (name === 'null') return null
    this.#at = start
    throw this.#unexpected('a value (text needs quotes)')
  }

  #list(depth: number): readonly ConfigValue[] {
    const values: ConfigValue[] = []
    for (;;) {
      this.#take(blank)
      if (this.#skip(']')) return values
      values.push(this.#value(depth + 1))
      this.#take(blank)
      this.#skip(',')
    }
  }

  #string(): string | undefined {
    const literal = this.#take(plain)
    if (literal !== undefined) return literal.slice(1, -1)
    const start = this.#at
    const text = this.#take(quoted)
    if (text === undefined) return undefined
    try {
      return JSON.parse(text) as string
    } catch {
      throw this.#error('this text has an escape or a character that JSON does not know', start)
    }
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)?.[0]
    this.#at += match?.length ?? 0
    return match
  }

  #unexpected(wanted: string): ConfigTextError {
    const found = this.#text[this.#at]
    const what = found === undefined ? 'the file ends' : `${JSON.stringify(found)} stands`
    return this.#error(`${what} where ${wanted} belongs`)
  }

  #error(message: string, at = this.#at): ConfigTextError {
    return new ConfigTextError(this.#text.slice(0, at).split('\n').length, message)
  }
}
