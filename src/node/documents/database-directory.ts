import {
  type Database,
  type DatabaseId,
  DocumentError,
  type FoundClaim,
  type Permission,
  parseId,
} from '../../planes/documents/index.ts'
import type { OpenDocuments } from './open-documents.ts'

/** The databases of a node, by what people call them. */
export class DatabaseDirectory {
  readonly #documents: Pick<OpenDocuments, 'instance' | 'awaited'>

  constructor(documents: Pick<OpenDocuments, 'instance' | 'awaited'>) {
    this.#documents = documents
  }

  /** Those of the system, which nobody but the node reads, are not among them. */
  async here(): Promise<readonly DatabaseId[]> {
    const { instance } = this.#documents
    const system = [instance.system('_users'), instance.system('_sync')]
    return (await instance.databases()).filter((id) => !system.includes(id))
  }

  async nameOf(id: DatabaseId): Promise<string | null> {
    const { instance } = this.#documents
    if (!(await this.isHere(id))) return null
    const database = await instance.database(id)
    return database.read(async (view) => (await view.settings()).name ?? null)
  }

  isHere(id: DatabaseId): Promise<boolean> {
    return this.#documents.instance.read((view) => view.tips(id).length > 0)
  }

  /**
   * A database that is here, or awaited.
   *
   * @throws DocumentError `document/unknown-database` when there is none of that id or name, or several of the name
   */
  async find(text: string): Promise<DatabaseId> {
    const here = await this.here()
    const id = idIn(text)
    if (id !== undefined && (here.includes(id) || this.#documents.awaited.get(id) !== undefined)) return id
    if (id !== undefined) throw unknown(`there is no database ${id} here`)
    const named: DatabaseId[] = []
    for (const each of here) if ((await this.nameOf(each)) === text) named.push(each)
    const [only, ...others] = named
    if (only === undefined) throw unknown(`there is no database called ${JSON.stringify(text)} here`)
    if (others.length === 0) return only
    throw unknown(
      `${named.length} databases are called ${JSON.stringify(text)}; say which: ${named.join(', ')}`,
    )
  }

  /** To be read; with a key that may write, to be written. Throws as `find`, and `document/access-pending`. */
  async open(text: string): Promise<Database> {
    const id = await this.find(text)
    if (!(await this.isHere(id)))
      throw new DocumentError(
        'document/access-pending',
        `nothing of the database ${id} is here yet: access to it was asked for, and waits for a decision`,
      )
    const { instance } = this.#documents
    const [strongest] = await this.claims(await instance.database(id))
    const { device: key } = instance
    return instance.database(id, strongest === undefined ? { key } : { key, claim: strongest.claim })
  }

  /** How the node's own key can act in a database, strongest first. */
  claims(database: Database): Promise<readonly FoundClaim[]> {
    return database.findClaims(this.#documents.instance.id)
  }

  /** What the node's own key may do; undefined: nothing. */
  async permission(database: Database): Promise<Permission | undefined> {
    const [strongest] = await this.claims(database)
    return strongest?.permission
  }
}

function idIn(text: string): DatabaseId | undefined {
  try {
    return parseId(text)
  } catch {
    return undefined
  }
}

function unknown(message: string): DocumentError {
  return new DocumentError('document/unknown-database', message)
}
