import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { generateCorpus } from '../../src/planes/events/event-corpus.ts'

const cache = fileURLToPath(new URL('../.cache/', import.meta.url))

export interface CorpusFile {
  readonly path: string
  readonly count: number
  /** SHA-256 over the lines, first 16 hex: two figures are only comparable when it is the same. */
  readonly digest: string
}

/** A file of signed events, made once per seed and size: signing 200,000 events takes longer than syncing them. */
export async function corpusFile(count: number, seed = 1): Promise<CorpusFile> {
  const path = `${cache}corpus-${seed}-${count}.jsonl`
  if (!existsSync(path)) {
    await mkdir(cache, { recursive: true })
    const lines = generateCorpus({ seed, count, authors: 2_000, from: 1_660_000_000, to: 1_723_000_000 })
    await pipeline(Readable.from(withNewlines(lines)), createWriteStream(`${path}.tmp`))
    await rename(`${path}.tmp`, path)
  }
  const hash = createHash('sha256')
  for await (const line of createInterface({ input: createReadStream(path) })) hash.update(line)
  return { path, count, digest: hash.digest('hex').slice(0, 16) }
}

async function* withNewlines(lines: AsyncIterable<string>): AsyncIterable<string> {
  for await (const line of lines) yield `${line}\n`
}
