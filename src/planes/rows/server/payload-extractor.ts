import { base64ToBytes } from '../wire/base64.ts'
import { ExactNumber } from '../wire/exact-number.ts'
import type { JsonObject, JsonValue } from '../wire/json-value.ts'
import { bytesToUuid, hexToUuid } from '../wire/uuid.ts'

/** A field is missing, null, or not of the type that was asked for. */
export class PayloadFieldError extends Error {
  override readonly name = 'PayloadFieldError'
  readonly field: string

  constructor(field: string, expected: string) {
    super(`field ${field} is missing or is not ${expected}`)
    this.field = field
  }
}

/**
 * Reads fields of a row's payload in the types of the application: clients may send numbers, booleans and ids in several
 * spellings. The optional readers return undefined for what is missing, null or of another type; those that require throw
 * `PayloadFieldError`. Integers are exact, and text must be a number as a whole, where go-oversync truncates.
 */
export class PayloadExtractor {
  readonly #payload: JsonObject

  constructor(payload: JsonObject) {
    this.#payload = payload
  }

  /** True for null as well. */
  hasField(name: string): boolean {
    return Object.hasOwn(this.#payload, name)
  }

  strField(name: string): string | undefined {
    const value = this.#get(name)
    return typeof value === 'string' ? value : undefined
  }

  /** A whole number within 64 bits, or text that is one. */
  int64Field(name: string): bigint | undefined {
    const value = integerOf(this.#get(name))
    return value !== undefined && BigInt.asIntN(64, value) === value ? value : undefined
  }

  float64Field(name: string): number | undefined {
    const value = this.#get(name)
    const number =
      value instanceof ExactNumber
        ? value.toNumber()
        : typeof value === 'string' && numeric.test(value)
          ? Number(value)
          : value
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined
  }

  /** Numbers but 0, and `1`, `true`, `TRUE`, are true; 0, `0`, `false`, `FALSE` are false. */
  boolField(name: string): boolean | undefined {
    const value = this.#get(name)
    if (typeof value === 'boolean') return value
    if (typeof value === 'number') return value !== 0
    if (value instanceof ExactNumber) return value.toNumber() !== 0
    return typeof value === 'string' ? booleans.get(value) : undefined
  }

  /** Canonical, from any common spelling. */
  uuidField(name: string): string | undefined {
    const value = this.#get(name)
    return typeof value === 'string' ? parseUuid(value) : undefined
  }

  base64Field(name: string): Uint8Array | undefined {
    const value = this.#get(name)
    return typeof value === 'string' ? base64ToBytes(value) : undefined
  }

  strFieldRequired(name: string): string {
    return required(name, 'a string', this.strField(name))
  }

  int64FieldRequired(name: string): bigint {
    return required(name, 'a 64-bit integer', this.int64Field(name))
  }

  float64FieldRequired(name: string): number {
    return required(name, 'a finite number', this.float64Field(name))
  }

  boolFieldRequired(name: string): boolean {
    return required(name, 'a boolean', this.boolField(name))
  }

  uuidFieldRequired(name: string): string {
    return required(name, 'a uuid', this.uuidField(name))
  }

  base64FieldRequired(name: string): Uint8Array {
    return required(name, 'base64', this.base64Field(name))
  }

  #get(name: string): JsonValue | undefined {
    return Object.hasOwn(this.#payload, name) ? this.#payload[name] : undefined
  }
}

const numeric = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const booleans: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['TRUE', true],
  ['0', false],
  ['false', false],
  ['FALSE', false],
])

function integerOf(value: JsonValue | undefined): bigint | undefined {
  if (value instanceof ExactNumber) return value.toBigInt()
  if (typeof value === 'string')
    return /^[+-]?\d{1,40}$/.test(value) ? BigInt(value.replace('+', '')) : undefined
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined
}

function required<T>(name: string, expected: string, value: T | undefined): T {
  if (value === undefined) throw new PayloadFieldError(name, expected)
  return value
}

/** Dashed or not, in braces, as URN, in any case; undefined for anything else. */
function parseUuid(text: string): string | undefined {
  const plain =
    /^(?:urn:uuid:)?\{?([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})\}?$/i.exec(text)
  const hex = plain?.[1]?.replaceAll('-', '')
  return hex === undefined ? undefined : hexToUuid(hex)
}

/** The uuid whose 16 bytes `text` holds as base64; throws for anything else. */
export function convertBase64EncodedUuid(text: string): string {
  const bytes = base64ToBytes(text)
  if (bytes === undefined) throw new TypeError('not base64')
  const uuid = bytesToUuid(bytes)
  if (uuid === undefined) throw new TypeError(`base64 of ${bytes.length} bytes, not of the 16 of a uuid`)
  return uuid
}

/** As `convertBase64EncodedUuid`, but text that is no base64 is returned as it is. 32 hex digits are base64 of 24 bytes. */
export function optionallyConvertBase64EncodedUuid(text: string): string {
  return base64ToBytes(text) === undefined ? text : convertBase64EncodedUuid(text)
}
