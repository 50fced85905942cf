import type { JsonBody } from '../json-body.ts'

const headers = { 'content-type': 'application/json' }

/** 200 with compact JSON and one newline (§2.1). */
export function jsonAnswer(value: object, status = 200): Response {
  return new Response(`${JSON.stringify(value)}\n`, { status, headers })
}

/** As `jsonAnswer`, for what is text already; parts are read as fast as the client takes them. */
export function textAnswer(body: JsonBody): Response {
  if (typeof body === 'string') return new Response(`${body}\n`, { headers })
  return new Response(ReadableStream.from(encoded(body)) as ReadableStream<Uint8Array>, { headers })
}

async function* encoded(parts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const utf8 = new TextEncoder()
  for await (const part of parts) yield utf8.encode(part)
  yield utf8.encode('\n')
}
