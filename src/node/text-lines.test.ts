import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { textLines } from './text-lines.ts'

async function* chunked(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('lines do not depend on where the stream is cut, also within a character', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc
          .string({ unit: 'binary', minLength: 1 })
          .filter((line) => !/[\r\n\ufeff]|[\ud800-\udfff]/.test(line) && line.trim() !== ''),
      ),
      fc.integer({ min: 1, max: 7 }),
      async (lines, size) => {
        const bytes = new TextEncoder().encode(lines.join('\r\n'))
        assert.deepEqual(await Array.fromAsync(textLines(chunked(bytes, size), 1_000)), lines)
      },
    ),
  )
})

test('a line without end is refused instead of being kept', async () => {
  const endless = chunked(new Uint8Array(5_000).fill(97), 100)
  await assert.rejects(Array.fromAsync(textLines(endless, 1_000)), { code: 'data/invalid' })
})
