import type * as z from 'zod'
import type { WireErrorCode } from '../../wire/error-code.ts'
import { parseJson } from '../../wire/json-text.ts'
import type { JsonValue } from '../../wire/json-value.ts'
import { RowsError } from '../rows-error.ts'

/** The body as text; undefined if there is none. Throws `request_too_large` as soon as it is. */
async function readText(request: Request, maxBytes: number): Promise<string | undefined> {
  const tooLarge = () => new RowsError('request_too_large', `a request body has at most ${maxBytes} bytes`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (request.body === null) return undefined
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body) {
    bytes += part.length
    if (bytes > maxBytes) throw tooLarge()
    parts.push(part)
  }
  if (bytes === 0) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw new RowsError('invalid_request', 'the request body is not UTF-8')
  }
}

type CodeOf = (path: readonly PropertyKey[]) => WireErrorCode

/** What the operation's schema makes of the body; throws `codeOf` of where it is wrong, `invalid_request` by default. */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  maxBytes: number,
  codeOf: CodeOf = () => 'invalid_request',
): Promise<z.output<Schema>> {
  const text = await readText(request, maxBytes)
  if (text === undefined) throw new RowsError(codeOf([]), 'the request has no body')
  return parse(text, schema, codeOf)
}

/** As `readJson`, but a missing body is an empty object. */
export async function readOptionalJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  maxBytes: number,
  codeOf: CodeOf,
): Promise<z.output<Schema>> {
  return parse((await readText(request, maxBytes)) ?? '{}', schema, codeOf)
}

function parse<Schema extends z.ZodType>(text: string, schema: Schema, codeOf: CodeOf): z.output<Schema> {
  const parsed = schema.safeParse(parseText(text, codeOf([])))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new RowsError(
    codeOf(issue.path),
    `${issue.path.map(String).join('.') || 'the body'}: ${issue.message}`,
  )
}

function parseText(text: string, code: WireErrorCode): JsonValue {
  try {
    return parseJson(text)
  } catch (error) {
    // Of the parser's message only the kind: it quotes the text.
    throw new RowsError(code, 'the request body is not JSON', {}, error)
  }
}
