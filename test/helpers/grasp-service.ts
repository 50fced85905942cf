import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { TestClient } from '../peers/test-client.ts'

export interface GraspServiceOptions {
  readonly bootstrapRelays?: string[]
  readonly port?: number | undefined
  /** Under which it is announced, where that is not where it listens. */
  readonly domain?: string | undefined
  /** Where it keeps git data. */
  readonly gitDir?: string
  readonly limits?: Readonly<Record<string, number>>
  /** Default: little, so that nothing waits. */
  readonly batchWindowMs?: number
}

/** A GRASP service under its own address, on a network of its own. */
export async function startGraspService(
  data: string,
  {
    bootstrapRelays = [],
    port: asked,
    domain: announced,
    gitDir,
    limits = {},
    batchWindowMs = 50,
  }: GraspServiceOptions = {},
) {
  const port = asked ?? (await freePort())
  const domain = announced ?? `127.0.0.1:${port}`
  const config = await loadConfig({ flags: { data, port: `${port}` } })
  const proactive = {
    ...config.proactive,
    domain,
    privateAddresses: true,
    batchWindowMs,
    bootstrapRelays,
  }
  const node = await openNode({ ...config, proactive, gitDir, limits }, { log: silentLogger })
  const url = await node.listen()
  node.start()
  return { node, url, domain, port, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
}

/** A service names itself in announcements before it listens, so the port is taken twice; nobody else takes one in between. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export async function publish(url: string, event: NostrEvent): Promise<void> {
  using client = await TestClient.connect(url)
  await publishBy(client, event)
}

export async function publishBy(client: TestClient, event: NostrEvent): Promise<void> {
  const [verb, , accepted, reason] = await client.ask(['EVENT', event])
  assert.deepEqual([verb, accepted], ['OK', true], String(reason))
}

/** Resolves when the node holds the event; woken by its store, not by a timer. */
export async function untilHeld(node: Node, id: string): Promise<void> {
  const held = Promise.withResolvers<void>()
  using _listener = node.events.onAccepted((events) => {
    if (events.some((event) => event.id === id)) held.resolve()
  })
  if ((await node.events.known([id])).has(id)) return
  const deadline = AbortSignal.timeout(30_000)
  deadline.addEventListener('abort', () => held.reject(new Error(`${id} never came`)), { once: true })
  await held.promise
}
