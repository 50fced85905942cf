import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { type CopyValue, copyLine } from './copy-text.ts'

const bytesPerWrite = 64 * 1024

/**
 * Writes rows into `target` (a table with its columns) by COPY, the fastest way there is. Rows are turned into text as the
 * connection takes them.
 */
export async function copyRows(
  tx: PoolClient,
  target: string,
  rows: Iterable<readonly CopyValue[]>,
): Promise<void> {
  await pipeline(Readable.from(chunks(rows)), tx.query(copyFrom(`copy ${target} from stdin`)))
}

function* chunks(rows: Iterable<readonly CopyValue[]>): Generator<Buffer> {
  let text = ''
  for (const row of rows) {
    text += copyLine(row)
    if (text.length < bytesPerWrite) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}
