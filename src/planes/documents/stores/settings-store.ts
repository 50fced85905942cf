import {
  type AuthSettings,
  type Delegation,
  delegationDoc,
  type Grant,
  grantDoc,
  readAuth,
} from '../auth/auth-settings.ts'
import { encodeStrategy, type HeightStrategy, readStrategy } from '../auth/height-strategy.ts'
import { Doc, deleted, type LiveValue, type PlainValue, toValue } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import type { DatabaseId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { StagedDoc } from './staged-doc.ts'

/** The settings of a database: its name, its heights, and who may do what. Changing them needs an admin. */
export class SettingsStore {
  readonly #doc: StagedDoc

  constructor(doc: StagedDoc) {
    this.#doc = doc
  }

  get name(): string | undefined {
    const name = this.#doc.get('name')
    return typeof name === 'string' ? name : undefined
  }

  setName(name: string): void {
    this.#doc.stage('name', name)
  }

  get heightStrategy(): HeightStrategy {
    return readStrategy(this.#doc.whole(), 'height_strategy') ?? 'incremental'
  }

  setHeightStrategy(strategy: HeightStrategy): void {
    this.#doc.stage('height_strategy', encodeStrategy(strategy))
  }

  /** Any other setting. */
  get(path: string): LiveValue | undefined {
    return this.#doc.get(path)
  }

  /** Throws `document/store-reserved` for `auth`: it has its own ways to be changed. */
  set(path: string, value: PlainValue): void {
    assertFree(path)
    this.#doc.stage(path, toValue(value))
  }

  delete(path: string): void {
    assertFree(path)
    this.#doc.stage(path, deleted)
  }

  /** @internal The settings a database begins with. */
  initialise(settings: Readonly<Record<string, PlainValue>>, auth: Doc | undefined): void {
    for (const [key, value] of Object.entries(settings)) this.#doc.stageChild(key, toValue(value))
    // Even where there is nothing to say: what comes later builds on it.
    this.#doc.merge(auth === undefined ? new Doc() : new Doc([['auth', auth]]))
  }

  /** As of this transaction, its own changes included. */
  get auth(): AuthSettings {
    return readAuth(this.#doc.whole())
  }

  setKey(key: PublicKey, grant: Grant): void {
    this.#stageAuth('keys', key, grantDoc(grant))
  }

  /** The key keeps its record: what it signed before stays what it is. Throws `document/not-found`. */
  revokeKey(key: PublicKey): void {
    this.setKey(key, { ...this.#grant(key), status: 'revoked' })
  }

  /** Throws `document/not-found`. */
  renameKey(key: PublicKey, name: string): void {
    this.setKey(key, { ...this.#grant(key), name })
  }

  /** What everybody may do. */
  setGlobal(grant: Grant): void {
    this.#doc.merge(new Doc([['auth', new Doc([['global', grantDoc(grant)]])]]))
  }

  /** Lets the keys of another database act here, within bounds. */
  addDelegation(tree: DatabaseId, delegation: Delegation): void {
    this.#stageAuth('delegations', tree, delegationDoc(tree, delegation))
  }

  removeDelegation(tree: DatabaseId): void {
    this.#stageAuth('delegations', tree, deleted)
  }

  #grant(key: PublicKey): Grant {
    const grant = this.auth.keys.get(key)
    if (grant === undefined) throw new DocumentError('document/not-found', `the database knows no key ${key}`)
    return grant
  }

  /** By key and not by path: base64 may hold what a path would split at. */
  #stageAuth(table: 'keys' | 'delegations', key: string, record: Doc | typeof deleted): void {
    this.#doc.merge(new Doc([['auth', new Doc([[table, new Doc([[key, record]])]])]]))
  }
}

function assertFree(path: string): void {
  const [first] = path.split('.').filter((key) => key !== '')
  if (first === 'auth' || first === 'height_strategy')
    throw new DocumentError('document/store-reserved', `${first} is changed by its own methods`)
}
