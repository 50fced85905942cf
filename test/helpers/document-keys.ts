import type { Grant } from '../../src/planes/documents/auth/auth-settings.ts'
import { type Permission, parsePermission } from '../../src/planes/documents/auth/permission.ts'
import type { BeginOptions, Database } from '../../src/planes/documents/database.ts'
import type { Entry, SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { encodeMetadata } from '../../src/planes/documents/entry/entry-metadata.ts'
import type { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { keyClaim, noKey, type SigKey } from '../../src/planes/documents/entry/sig-key.ts'
import type { Instance } from '../../src/planes/documents/instance.ts'
import type { SettingsStore } from '../../src/planes/documents/stores/settings-store.ts'
import { keyNumber } from './document-world.ts'

export const [alice, bob, carol, dave] = [1, 2, 3, 4].map(keyNumber) as [KeyPair, KeyPair, KeyPair, KeyPair]

export const refused = (code: string) => ({ name: 'DocumentError', code })
export const denied = refused('document/permission-denied')

export function grant(permission: Permission | string, rest: Partial<Grant> = {}): Grant {
  const parsed = typeof permission === 'string' ? parsePermission(permission) : permission
  return { permission: parsed, status: 'active', ...rest }
}

export function configure(
  database: Database,
  work: (settings: SettingsStore) => void,
  options: BeginOptions = {},
) {
  return database.transact(async (tx) => work(await tx.settings()), options)
}

export function as(instance: Instance, database: Database, key: KeyPair, claim?: SigKey): Promise<Database> {
  return instance.database(database.id, claim === undefined ? { key } : { key, claim })
}

/** A database of Alice with further keys. */
export async function withKeys(
  instance: Instance,
  keys: readonly (readonly [KeyPair, string, string?])[],
): Promise<Database> {
  const database = await instance.createDatabase({ key: alice })
  await configure(database, (settings) => {
    for (const [key, permission, name] of keys)
      settings.setKey(key.publicKey, grant(permission, name === undefined ? {} : { name }))
  })
  return database
}

/** An entry made by hand: what an honest writer would put on one tip, with any part changed. */
export async function forge(
  database: Database,
  key: KeyPair | undefined,
  change: (draft: Entry) => Partial<Entry>,
): Promise<SealedEntry> {
  const [first] = await database.tips()
  const tip = await database.entry(first!)
  const pin = JSON.parse(Buffer.from(tip.entry.metadata!).toString()).settings_tips
  const touched = tip.entry.stores.some(({ name }) => name === '_settings')
  const draft: Entry = {
    root: database.id,
    parents: [tip.id],
    metadata: encodeMetadata({ settingsTips: touched ? [tip.id] : pin }),
    height: tip.entry.height + 1,
    stores: [],
    sig: { signature: undefined, key: key === undefined ? noKey : keyClaim(key.publicKey) },
  }
  return sealEntry({ ...draft, ...change(draft) }, key)
}
