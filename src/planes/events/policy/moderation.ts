import { EventError } from '../event-error.ts'
import type { WritePolicy } from '../write-policy.ts'
import { AddressList } from './address-list.ts'

/** What an administrator has listed while the relay runs (NIP-86); `relay-info` holds what the relay says about itself. */
export type ModerationList = 'allowed-pubkey' | 'allowed-kind' | 'denied-kind' | 'blocked-ip' | 'relay-info'

export interface ModerationEntry {
  readonly list: ModerationList
  /** A public key, a kind, an address, or the name of a field. */
  readonly value: string
  /** Why, or the text of the field. */
  readonly note: string
}

/** Where the lists outlive the process. Each call is durable when it resolves. */
export interface ModerationTable {
  all(): Promise<readonly ModerationEntry[]>
  /** Replaces the note of what is there already. */
  put(entry: ModerationEntry): Promise<void>
  /** False when there was none. */
  remove(list: ModerationList, value: string): Promise<boolean>
}

/** The lists of the management interface, in memory and on disk. Bans are the event store's: they hold inside it. */
export class Moderation {
  readonly #table: ModerationTable
  readonly #lists = new Map<ModerationList, Map<string, string>>()
  readonly #listeners = new Set<() => void>()
  #blocked = new AddressList([])

  private constructor(table: ModerationTable) {
    this.#table = table
  }

  static async open(table: ModerationTable): Promise<Moderation> {
    const moderation = new Moderation(table)
    for (const { list, value, note } of await table.all()) moderation.#of(list).set(value, note)
    moderation.#changed()
    return moderation
  }

  async put(list: ModerationList, value: string, note: string): Promise<void> {
    await this.#table.put({ list, value, note })
    this.#of(list).set(value, note)
    this.#changed()
  }

  /** False when it was not in the list. */
  async remove(list: ModerationList, value: string): Promise<boolean> {
    const removed = await this.#table.remove(list, value)
    this.#of(list).delete(value)
    this.#changed()
    return removed
  }

  /** Value and note, in the order of the values. */
  entries(list: ModerationList): readonly (readonly [value: string, note: string])[] {
    return [...this.#of(list)].toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  }

  has(list: ModerationList, value: string): boolean {
    return this.#of(list).has(value)
  }

  /** What the relay says about itself, where an administrator has changed it. */
  get info(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#of('relay-info'))
  }

  isBlocked(address: string): boolean {
    return this.#blocked.has(address)
  }

  get restrictsWrites(): boolean {
    const lists: readonly ModerationList[] = ['allowed-pubkey', 'allowed-kind', 'denied-kind']
    return lists.some((list) => this.#of(list).size > 0)
  }

  /** Through every door: a list of allowed authors or kinds that has entries is all there is. */
  readonly write: WritePolicy = ({ kind, pubkey }) => {
    const [kinds, authors] = [this.#of('allowed-kind'), this.#of('allowed-pubkey')]
    if (this.#of('denied-kind').has(String(kind)) || (kinds.size > 0 && !kinds.has(String(kind))))
      return new EventError('event/kind-refused', 'blocked', `kind ${kind} is not accepted here`)
    if (authors.size === 0 || authors.has(pubkey)) return undefined
    return new EventError(
      'event/policy-refused',
      'blocked',
      'events of listed authors only are accepted here',
    )
  }

  /** Called after each change. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #of(list: ModerationList): Map<string, string> {
    const known = this.#lists.get(list) ?? new Map<string, string>()
    this.#lists.set(list, known)
    return known
  }

  #changed(): void {
    this.#blocked = new AddressList([...this.#of('blocked-ip').keys()])
    for (const listener of this.#listeners) listener()
  }
}
