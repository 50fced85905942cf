import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SyncError } from '../../kernel/sync-error.ts'

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

/**
 * Whom PostgreSQL runs as. It refuses to run as root, so a node of root runs it as the user `postgres`; any other node runs
 * it as itself: undefined.
 *
 * @throws SyncError `config/invalid` for root where there is no such user
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const id = async (flag: string) => Number((await promisify(execFile)('id', [flag, 'postgres'])).stdout)
  try {
    return { uid: await id('-u'), gid: await id('-g') }
  } catch (cause) {
    throw new SyncError(
      'config/invalid',
      'PostgreSQL does not run as root: run the node as another user, make a user named postgres, or name a database by --database-url',
      { cause },
    )
  }
}
