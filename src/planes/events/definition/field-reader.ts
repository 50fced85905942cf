import type { DefinitionErrorCode, DefinitionIssue } from './server-definition.ts'

export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Reads the fields of one object and collects what is wrong with them, in the order in which they are read. A field that is
 * wrong reads as its fallback, so that the others are checked all the same.
 */
export class FieldReader {
  readonly issues: DefinitionIssue[]
  readonly #fields: Fields
  readonly #prefix: string

  constructor(fields: Fields, issues: DefinitionIssue[] = [], prefix = '') {
    this.#fields = fields
    this.issues = issues
    this.#prefix = prefix
  }

  /** Undefined when the field was not given. Inherited properties are nobody's definition. */
  given(key: string): unknown {
    return Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined
  }

  refuse(key: string, code: DefinitionErrorCode, message: string): void {
    this.issues.push({ path: this.#prefix + key, code, message })
  }

  boolean(key: string, fallback: boolean, code: DefinitionErrorCode): boolean {
    const value = this.given(key) ?? fallback
    if (typeof value === 'boolean' && this.given(key) !== null) return value
    this.refuse(key, code, 'must be true or false')
    return fallback
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T, code: DefinitionErrorCode): T {
    const value = this.given(key)
    if (value === undefined) return fallback
    const chosen = choices.find((choice) => choice === value)
    if (chosen === undefined) this.refuse(key, code, `must be one of ${choices.join(', ')}`)
    return chosen ?? fallback
  }

  /** Null stands for a text that is not there. */
  text(key: string, code: DefinitionErrorCode): string | null {
    const value = this.given(key) ?? null
    if (value === null || (typeof value === 'string' && value !== '')) return value
    this.refuse(key, code, 'must be a text that is not empty')
    return null
  }

  /** A reader of the object in `key`; of an empty one when it is missing or no object. */
  inner(key: string, code: DefinitionErrorCode): FieldReader {
    const value = this.given(key) ?? {}
    if (!isFields(value) || this.given(key) === null) this.refuse(key, code, 'must be an object')
    return new FieldReader(isFields(value) ? value : {}, this.issues, `${this.#prefix}${key}.`)
  }

  /** A name we do not know is most often a known one misspelt; dropping it would drop what it should protect. */
  refuseUnknown(known: readonly string[]): void {
    for (const key of Object.keys(this.#fields))
      if (!known.includes(key)) this.refuse(key, 'unknown_field', 'is not a known field')
  }
}
