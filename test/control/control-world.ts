import assert from 'node:assert/strict'
import { loadConfig } from '../../src/config/load.ts'
import type { Logger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { Result, Server, SyncState } from '../../src/node/sync-control.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

export interface ControlWorld extends AsyncDisposable {
  /** The node as of the last restart. */
  readonly node: Node
  readonly folder: string
  restart(): Promise<void>
  /** Closes the node; `restart` opens it again. */
  close(): Promise<void>
  /** The server once `holds`: looked at whenever one of the links moved. */
  until(id: string, holds: (server: Server) => boolean): Promise<Server>
  untilStates(id: string, hold: (states: readonly SyncState[]) => boolean): Promise<readonly SyncState[]>
}

export interface WorldChoice {
  readonly flags?: Readonly<Record<string, unknown>>
  /** False: the node does not work on its servers by itself. */
  readonly start?: boolean
  readonly log?: Logger
}

/** A test that waits for what never comes must fail, not hang. */
const patienceMs = 60_000

/** A node on a folder of its own, that works on its servers. */
export async function controlWorld({
  flags = {},
  start = true,
  log,
}: WorldChoice = {}): Promise<ControlWorld> {
  const folder = await temporaryFolder()
  const open = async () => {
    const data = folder.join('data')
    const config = await loadConfig({ flags: { data, port: 0, logLevel: 'silent', ...flags } })
    const node = await openNode(config, log === undefined ? {} : { log })
    if (start) node.start()
    return node
  }
  let node = await open()

  async function until<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    const stop = new AbortController()
    const patience = AbortSignal.timeout(patienceMs)
    try {
      const signal = AbortSignal.any([stop.signal, patience])
      const updates = node.sync.updates(signal)[Symbol.asyncIterator]()
      // Listening begins with the first pull, so what happens from here on is not missed.
      let next = updates.next()
      for (;;) {
        const value = await look()
        if (holds(value)) return value
        if ((await next).done) assert.fail(`never held: ${holds}; last ${JSON.stringify(value)}`)
        next = updates.next()
      }
    } finally {
      stop.abort()
    }
  }

  return {
    get node() {
      return node
    },
    folder: folder.path,
    async restart() {
      await node[Symbol.asyncDispose]()
      node = await open()
    },
    close: () => node[Symbol.asyncDispose](),
    until: (id, holds) => until(async () => ok(await node.sync.getServer(id)), holds),
    untilStates: (id, hold) => until(() => node.sync.states(id), hold),
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export function ok<T>(result: Result<T>): T {
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}

export function errorOf(result: Result<unknown>): string {
  assert.ok(!result.ok, `expected a failure, got ${JSON.stringify(result)}`)
  assert.ok(result.messages.length > 0)
  return result.error
}

export const isLive = ({ runtime }: Server): boolean => runtime.phase === 'live'
