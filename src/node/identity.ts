import { chmod, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '../kernel/sync-error.ts'
import { createSigner, generateSecretKey, type Signer } from '../planes/events/signer.ts'

const fileName = 'identity.key'

/**
 * The node's own key, from the data directory's `identity.key` (64 hex, mode 0600); made at the first start. It signs
 * NIP-42 answers and is the `self` of the relay's NIP-11 document.
 */
export async function loadIdentity(directory: string): Promise<Signer> {
  const path = join(directory, fileName)
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (!/^[0-9a-f]{64}$/.test(text)) {
      throw new SyncError(
        'config/invalid',
        `${path} does not hold a secret key of 64 hex digits; restore it or delete it`,
      )
    }
    await chmod(path, 0o600)
    return createSigner(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = generateSecretKey()
  // `wx`: of two processes that start at once only one may decide who the node is.
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(`${secret}\n`)
  await file.sync()
  return createSigner(secret)
}
