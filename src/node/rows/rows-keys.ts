import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../../config/schema.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { createToken } from '../api-key.ts'

const keysSchema = z.record(z.string().min(1).max(1_000), z.array(z.string().regex(/^[0-9a-f]{64}$/)))

/** By user, the SHA-256 of each of the user's tokens. A token has 256 random bits, so a plain digest gives nothing away. */
export type RowsKeys = Readonly<Record<string, readonly string[]>>

export function rowsKeysFile({ rows }: Config, directory: string): string {
  return rows.keysFile ?? join(directory, 'rows-keys.json')
}

export const rowsKeyDigest = (token: string): string => createHash('sha256').update(token).digest('hex')

/** @throws SyncError `config/invalid` when the text is no file of keys */
export function parseRowsKeys(text: string): RowsKeys {
  try {
    return keysSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new SyncError(
      'config/invalid',
      'the file of rows keys is damaged: it must be JSON of users with lists of SHA-256 digests',
      { cause },
    )
  }
}

/** Makes a key for the user and answers its token, which is kept nowhere. */
export async function addRowsKey(file: string, user: string): Promise<string> {
  const token = createToken()
  await change(file, (keys) => ({ ...keys, [user]: [...(keys[user] ?? []), rowsKeyDigest(token)] }))
  return token
}

/** Takes all keys of the user away; answers how many there were. */
export async function removeRowsKeys(file: string, user: string): Promise<number> {
  let removed = 0
  await change(file, ({ [user]: gone = [], ...rest }) => {
    removed = gone.length
    return rest
  })
  return removed
}

/** A reader sees the old file or the new one, never half of either. */
async function change(file: string, next: (keys: RowsKeys) => RowsKeys): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}.new`
  await writeFile(draft, `${JSON.stringify(next(parseRowsKeys(text)), null, 2)}\n`, { mode: 0o600 })
  await rename(draft, file)
}
