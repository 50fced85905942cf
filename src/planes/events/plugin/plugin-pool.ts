import { resolve } from 'node:path'
import { EventError } from '../event-error.ts'
import type { Refusal, WritePolicy } from '../write-policy.ts'
import {
  openWritePolicyPlugin,
  type WritePolicyPlugin,
  type WritePolicyPluginOptions,
} from './write-policy-plugin.ts'

/**
 * What becomes of an event while its plugin gives no verdict. `pause`: nothing is decided; a sync stops there and tries
 * again, a client is told `error:`. `reject`: it is refused for now, and a sync goes on without it. `accept`: the plugin
 * is passed over.
 */
export type PluginFailurePolicy = 'reject' | 'accept' | 'pause'

interface Entry {
  readonly plugin: Promise<WritePolicyPlugin>
  users: number
}

/**
 * One process per program, however many peers are to be asked by it: a program that sees all of them can compare them,
 * and a hundred relays do not cost a hundred processes. Each request says which relay it is about.
 */
export class PluginPool implements AsyncDisposable {
  readonly #options: Omit<WritePolicyPluginOptions, 'path'>
  readonly #entries = new Map<string, Entry>()

  constructor(options: Omit<WritePolicyPluginOptions, 'path'>) {
    this.#options = options
  }

  /**
   * The plugin at `path`, started if need be. Dispose the answer when done with it: the last to do so ends the process.
   *
   * @throws SyncError `config/invalid` when `path` cannot be executed
   */
  async open(path: string, onFailure: PluginFailurePolicy = 'pause'): Promise<WritePolicyPlugin> {
    const key = resolve(path)
    const entry = this.#entries.get(key) ?? this.#start(key)
    entry.users += 1
    let released = false
    const release = async () => {
      if (released) return
      released = true
      entry.users -= 1
      if (entry.users > 0) return
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      await entry.plugin.then(
        (plugin) => plugin[Symbol.asyncDispose](),
        () => {},
      )
    }
    try {
      const plugin = await entry.plugin
      return { policy: failing(plugin.policy, onFailure), [Symbol.asyncDispose]: release }
    } catch (error) {
      await release()
      throw error
    }
  }

  /** Processes running or about to. */
  get size(): number {
    return this.#entries.size
  }

  /** Ends every process, whoever still uses it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    await Promise.allSettled(
      entries.map(async ({ plugin }) => {
        await (await plugin)[Symbol.asyncDispose]()
      }),
    )
  }

  #start(path: string): Entry {
    const entry = { plugin: openWritePolicyPlugin({ ...this.#options, path }), users: 0 }
    this.#entries.set(path, entry)
    return entry
  }
}

function failing(policy: WritePolicy, onFailure: PluginFailurePolicy): WritePolicy {
  if (onFailure === 'pause') return policy
  const instead: Refusal =
    onFailure === 'accept' ? undefined : new EventError('event/policy-refused', 'error', 'internal error')
  return async (event, context) => {
    const refusal = await policy(event, context)
    return refusal === 'failed' ? instead : refusal
  }
}
