import { z } from 'zod'
import type { Clock } from '../../../kernel/clock.ts'
import { owner, read } from '../auth/permission.ts'
import { newSalt } from '../crypto/password-key.ts'
import type { Database } from '../database.ts'
import { DocumentError } from '../document-error.ts'
import { type DatabaseId, parseId } from '../entry/entry-id.ts'
import { KeyPair } from '../entry/key-pair.ts'
import type { Instance } from '../instance.ts'
import { table } from '../stores/table.ts'
import { keyStorageSchema, loadKey, storeKey, userSecret } from './key-storage.ts'
import { User, userKeys } from './user.ts'

const userSchema = z.object({
  username: z.string(),
  user_database_id: z.string().transform((text) => parseId(text)),
  credentials: z.object({
    root_key_id: z.string(),
    root_key: keyStorageSchema,
    password_salt: z.string().optional(),
  }),
  /** Seconds since 1970. */
  created_at: z.number(),
  status: z.enum(['Active', 'Disabled', 'Locked']),
})

type UserInfo = z.infer<typeof userSchema>

const usersTable = table<UserInfo>(userSchema)
const usersStore = 'users'

export interface CreateUserOptions {
  readonly username: string
  /** Without one, whoever has the storage has the user's keys. */
  readonly password?: string
  /** Who creates it; has to be an admin of the instance, except for the first user, who becomes one. */
  readonly by?: User
}

/** The people of an instance. Each has a database of his own, with his keys and the databases he follows. */
export class Users {
  readonly #instance: Instance
  readonly #clock: Clock
  /** One change at a time, or two of one name could both be found free. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(instance: Instance, clock: Clock) {
    this.#instance = instance
    this.#clock = clock
  }

  /** Throws `document/user` when the name is taken or not a name, or `by` may not create users. */
  create(options: CreateUserOptions): Promise<User> {
    return this.#inTurn(() => this.#create(options))
  }

  /**
   * Opens a user's keys. Opening the root key is what checks the password.
   *
   * @throws DocumentError `document/user` for an unknown name or a user who may not log in, `document/password`
   */
  async login(username: string, password?: string): Promise<User> {
    const { info, key } = await this.#find(username)
    if (info.status !== 'Active')
      throw new DocumentError('document/user', `the user ${username} is ${info.status}`)
    const secret = await userSecret(password, info.credentials.password_salt)
    const root = loadKey(info.credentials.root_key, secret)
    const database = await this.#instance.database(info.user_database_id, { key: root })
    return new User({
      instance: this.#instance,
      clock: this.#clock,
      id: key,
      username,
      root,
      secret,
      database,
    })
  }

  /** Names, sorted. */
  async list(): Promise<readonly string[]> {
    const found = await this.#all()
    return found.map(([, { username }]) => username).sort()
  }

  /** Databases of users, by the id of the user: what the sync reads their wishes from. */
  async databases(): Promise<ReadonlyMap<string, DatabaseId>> {
    const found = await this.#all()
    return new Map(found.map(([key, { user_database_id }]) => [key, user_database_id]))
  }

  /** Throws `document/user` unless `by` is an admin of the instance. */
  setStatus(username: string, status: UserInfo['status'], by: User): Promise<void> {
    return this.#inTurn(async () => {
      const database = await this.#adminDatabase(by)
      const { info, key } = await this.#find(username)
      await database.transact(async (tx) =>
        (await tx.getStore(usersStore, usersTable)).set(key, { ...info, status }),
      )
    })
  }

  async #create({ username, password, by }: CreateUserOptions): Promise<User> {
    if (username.trim() === '' || username.length > 256)
      throw new DocumentError('document/user', 'a user name has 1 to 256 characters')
    const others = await this.#all()
    if (others.some(([, info]) => info.username === username))
      throw new DocumentError('document/user', `there is a user ${username} already`)
    const first = others.length === 0
    const users = first ? await this.#instance.systemDatabase('_users') : await this.#adminDatabase(by)
    const root = KeyPair.generate()
    const salt = password === undefined ? undefined : newSalt()
    const secret = await userSecret(password, salt)
    const { device } = this.#instance
    const database = await this.#instance.createDatabase({
      key: root,
      name: `_user_${username}`,
      settings: { type: 'user' },
      init: async (tx) => {
        const keys = await tx.getStore('keys', userKeys)
        keys.set(root.publicKey, {
          key_id: root.publicKey,
          storage: storeKey(root, secret),
          created_at: this.#seconds(),
          is_default: true,
          database_sigkeys: {},
        })
      },
    })
    // So that the device can read what the user wants synced, also while he is logged out.
    await database.transact(async (tx) => {
      const settings = await tx.settings()
      settings.setKey(device.publicKey, { permission: read, status: 'active', name: 'device' })
    })
    const info: UserInfo = {
      username,
      user_database_id: database.id,
      credentials: {
        root_key_id: root.publicKey,
        root_key: storeKey(root, secret),
        ...(salt === undefined ? {} : { password_salt: salt }),
      },
      created_at: this.#seconds(),
      status: 'Active',
    }
    let id = ''
    await users.transact(async (tx) => {
      id = (await tx.getStore(usersStore, usersTable)).insert(info)
      if (!first) return
      const settings = await tx.settings()
      settings.setKey(root.publicKey, { permission: owner, status: 'active', name: username })
    })
    return new User({ instance: this.#instance, clock: this.#clock, id, username, root, secret, database })
  }

  async #adminDatabase(by: User | undefined): Promise<Database> {
    const database = await this.#instance.systemDatabase('_users')
    if (by === undefined || !(await database.canAccess(by.rootKey, { type: 'admin', priority: 2 ** 32 - 1 })))
      throw new DocumentError('document/user', 'only an admin of the instance changes its users')
    return database
  }

  async #find(username: string): Promise<{ readonly key: string; readonly info: UserInfo }> {
    const found = (await this.#all()).filter(([, info]) => info.username === username)
    const [only, ...others] = found
    if (only === undefined) throw new DocumentError('document/user', `there is no user ${username}`)
    if (others.length > 0)
      throw new DocumentError('document/user', `there are ${found.length} users ${username}`)
    return { key: only[0], info: only[1] }
  }

  async #all(): Promise<[string, UserInfo][]> {
    if (this.#instance.system('_users') === undefined) return []
    const database = await this.#instance.systemDatabase('_users')
    return await database.read(async (view) => [...(await view.getStore(usersStore, usersTable)).rows()])
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
