import { z } from 'zod'
import { type DatabaseId, type Instance, parseId, parsePublicKey } from '../../planes/documents/index.ts'

const awaitedSchema = z.object({
  database: z.string().transform((text) => parseId(text)),
  permission: z.string(),
  peer: z.string().transform((text) => parsePublicKey(text)),
  request: z.string(),
  /** What it was asked with: to ask the same again makes no second request. */
  name: z.string(),
  message: z.string().optional(),
  /** Milliseconds since 1970. */
  at: z.number(),
})

/** Access that was asked for and not given yet, or not seen to be given. */
export type AwaitedDatabase = z.infer<typeof awaitedSchema>

const noteName = 'node/awaited'

/** What this node waits to be let into, from one start to the next. */
export class AwaitedDatabases {
  readonly #instance: Instance
  readonly #all: Map<DatabaseId, AwaitedDatabase>

  private constructor(instance: Instance, all: readonly AwaitedDatabase[]) {
    this.#instance = instance
    this.#all = new Map(all.map((one) => [one.database, one]))
  }

  static async open(instance: Instance): Promise<AwaitedDatabases> {
    const text = await instance.note(noteName)
    const all = text === undefined ? [] : z.array(awaitedSchema).parse(JSON.parse(text))
    return new AwaitedDatabases(instance, all)
  }

  get(database: DatabaseId): AwaitedDatabase | undefined {
    return this.#all.get(database)
  }

  values(): readonly AwaitedDatabase[] {
    return [...this.#all.values()]
  }

  async set(awaited: AwaitedDatabase): Promise<void> {
    this.#all.set(awaited.database, awaited)
    await this.#save()
  }

  /** Whether it was awaited. */
  async delete(database: DatabaseId): Promise<boolean> {
    const was = this.#all.delete(database)
    if (was) await this.#save()
    return was
  }

  async #save(): Promise<void> {
    const all = this.values()
    await this.#instance.setNote(noteName, all.length === 0 ? undefined : JSON.stringify(all))
  }
}
