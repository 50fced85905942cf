import { chmod, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '../../kernel/sync-error.ts'
import { DocumentError, KeyPair, type PublicKey } from '../../planes/documents/index.ts'

const fileName = 'documents.key'

/**
 * The node's key as a documents peer, the data directory's `documents.key` (mode 0600), made at first need. Databases it
 * created are owned by it: without it nobody may change who has access.
 *
 * @param known the device whose databases are stored; undefined: there are none
 * @throws SyncError `config/invalid` when the file is missing, unreadable, or of another device
 */
export async function loadDeviceKey(directory: string, known: PublicKey | undefined): Promise<KeyPair> {
  const path = join(directory, fileName)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined && known !== undefined)
    throw wrong(`${path} is missing, and the documents in this directory belong to it (${known}); restore it`)
  if (text === undefined) return await generate(path)
  const key = read(path, text.trim())
  if (known !== undefined && key.publicKey !== known)
    throw wrong(
      `${path} holds another key than that of the documents in this directory (${known}); restore it`,
    )
  await chmod(path, 0o600)
  return key
}

function read(path: string, text: string): KeyPair {
  try {
    return KeyPair.fromSecret(text)
  } catch (cause) {
    if (!(cause instanceof DocumentError)) throw cause
    throw wrong(`${path} does not hold a secret key (ed25519:…); restore it`)
  }
}

async function generate(path: string): Promise<KeyPair> {
  const key = KeyPair.generate()
  // `wx`: of two processes that start at once only one may decide who the node is.
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(`${key.exportSecret()}\n`)
  await file.sync()
  return key
}

function wrong(message: string): SyncError {
  return new SyncError('config/invalid', message)
}
