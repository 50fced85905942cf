import { randomBytes } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '../kernel/sync-error.ts'

const fileName = 'api-key.secret'

/**
 * The secret that API keys are hashed with: `API_KEY_HMAC_SECRET` where it is set, else the data directory's
 * `api-key.secret` (mode 0600), made at first need. Another secret makes every key unknown.
 */
export async function loadKeySecret(directory: string, given: string | undefined): Promise<string> {
  if (given !== undefined && given !== '') return given
  const path = join(directory, fileName)
  return (await existing(path)) ?? (await generate(path))
}

async function existing(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (text.length >= 32) return text
    throw new SyncError(
      'config/invalid',
      `${path} holds no secret of at least 32 characters; restore it, or delete it and make new API keys`,
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function generate(path: string): Promise<string> {
  const secret = randomBytes(32).toString('hex')
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(`${secret}\n`)
  await file.sync()
  return secret
}
