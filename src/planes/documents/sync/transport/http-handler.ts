import { maxMessageBytes } from '../wire/message-codec.ts'
import type { MessageHandler } from './sync-transport.ts'

export const syncPath = '/api/v0'
export const syncMediaType = 'application/vnd.ipld.dag-cbor'

/** Serves the documents protocol at `POST /api/v0`; undefined for any other path. */
export function createHttpHandler(handler: MessageHandler) {
  return async (request: Request): Promise<Response | undefined> => {
    if (new URL(request.url).pathname !== syncPath) return undefined
    if (request.method !== 'POST')
      return new Response('POST only\n', { status: 405, headers: { allow: 'POST' } })
    const message = await readBounded(request.body, maxMessageBytes)
    if (message === undefined) return new Response('the message is too large\n', { status: 413 })
    const answer = await handler(message, request.signal)
    return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { 'content-type': syncMediaType } })
  }
}

/** Undefined once there is more than `limit`: what is not wanted is not kept, whatever the length header promised. */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream ?? []) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
