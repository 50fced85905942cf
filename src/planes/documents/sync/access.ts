import { isProtected } from '../auth/auth-settings.ts'
import { type Permission, read } from '../auth/permission.ts'
import type { Database } from '../database.ts'
import type { PublicKey } from '../entry/key-pair.ts'

/** Whether a key may do something: a database without keys is everybody's. */
export async function isAllowed(database: Database, key: PublicKey, needed: Permission): Promise<boolean> {
  return !isProtected(await database.auth()) || (await database.canAccess(key, needed))
}

export function mayRead(database: Database, key: PublicKey): Promise<boolean> {
  return isAllowed(database, key, read)
}
