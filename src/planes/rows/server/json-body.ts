import { parseJson } from '../wire/json-text.ts'
import type { JsonValue } from '../wire/json-value.ts'

/** An answer as JSON text: whole, or in parts where it may be larger than memory. */
export type JsonBody = string | AsyncIterable<string>

/** For callers in the same process. */
export async function parseBody(body: JsonBody): Promise<JsonValue> {
  if (typeof body === 'string') return parseJson(body)
  let text = ''
  for await (const part of body) text += part
  return parseJson(text)
}
