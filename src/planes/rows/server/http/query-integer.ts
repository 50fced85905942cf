import type { WireErrorCode } from '../../wire/error-code.ts'
import { RowsError } from '../rows-error.ts'

/** A number of the query (§2.1): base 10, a sign is allowed; undefined if it is absent or empty. Throws `code`. */
export function queryInteger(url: URL, name: string, code: WireErrorCode): number | undefined {
  const text = url.searchParams.get(name)
  if (text === null || text === '') return undefined
  return parseInteger(text, name, code)
}

export function parseInteger(text: string, name: string, code: WireErrorCode): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new RowsError(code, `${name} must be an integer`)
  return value
}
