import { SyncError } from '../kernel/sync-error.ts'

/**
 * The lines of a byte stream, without their ends; empty ones are left out. Errors of the stream come through, and a
 * line longer than `maxBytes` ends it: a file that is not what it says must not fill the memory.
 */
export async function* textLines(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  for await (const chunk of stream) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = pieces.pop() ?? ''
    if (rest.length > maxBytes) throw new SyncError('data/invalid', `a line is longer than ${maxBytes} bytes`)
    for (const piece of pieces) {
      const line = piece.endsWith('\r') ? piece.slice(0, -1) : piece
      if (line !== '') yield line
    }
  }
  rest += decoder.decode()
  if (rest.trim() !== '') yield rest
}
