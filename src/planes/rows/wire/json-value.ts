import type { ExactNumber } from './exact-number.ts'

/** What JSON text holds. A number that a double would change is an `ExactNumber`; every other is a plain number. */
export type JsonValue = null | boolean | number | string | ExactNumber | readonly JsonValue[] | JsonObject

export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** Of what `parseJson` returned: whether it is an object, and not a list, null or a number. */
export function isJsonObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.getPrototypeOf(value) === Object.prototype
  )
}
