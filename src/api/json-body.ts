import { HttpError } from './http-error.ts'

/** Largest body of a request, bytes (spec events §4.4). */
const maxBodyBytes = 256 * 1024

/** Reads the whole body, at most {@link maxBodyBytes}. @throws HttpError 413 */
export async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBodyBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > maxBodyBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @throws HttpError 415 unless the request says that its body is JSON */
export function assertJson(request: Request): void {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (/^application\/([\w.+-]+\+)?json$/.test(type)) return
  throw new HttpError(415, 'the body must be JSON: send it with Content-Type: application/json')
}

/** @throws HttpError 400 */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new HttpError(400, 'the body is not JSON')
  }
}

function tooLarge(): HttpError {
  return new HttpError(413, `the body is larger than ${maxBodyBytes} bytes`)
}
