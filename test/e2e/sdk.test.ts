import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { ApiError, SynclineClient, type SyncState } from '../../src/sdk/index.ts'
import { adminWorld } from '../helpers/admin-world.ts'
import { documentsStage } from '../helpers/documents-stage.ts'
import { realEvents } from '../helpers/real-events.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** A relay with some events. */
async function sourceRelay() {
  const folder = await temporaryFolder()
  const node = await openNode(await loadConfig({ flags: { data: folder.path, port: 0 } }), {
    log: silentLogger,
  })
  async function* lines() {
    for (const event of realEvents.slice(0, 40)) yield event
  }
  await node.import(lines(), { verify: true, signal: AbortSignal.timeout(60_000), onProgress: () => {} })
  const url = await node.listen()
  return {
    url,
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('every call of the SDK works against a running node', { timeout: 120_000 }, async () => {
  await using source = await sourceRelay()
  await using world = await adminWorld({ documents: true })
  world.node.start()
  const client = new SynclineClient({ url: world.url, token: world.token })
  const used = new Set<string>()
  const api = new Proxy(client, {
    get: (target, name) => {
      used.add(String(name))
      const value = Reflect.get(target, name, target) as (...args: unknown[]) => unknown
      return value.bind(target)
    },
  })

  const listening = new AbortController()
  const seen: SyncState[] = []
  const listener = (async () => {
    for await (const state of api.events({ signal: listening.signal })) seen.push(state)
  })()

  assert.equal((await api.status()).identity, world.node.identity.pubkey)
  assert.equal((await api.stats()).servers_total, 0)
  assert.equal((await api.health()).status, 'ok')
  assert.deepEqual(await api.relays(), [])
  assert.deepEqual(await api.syncStates(), [])

  const made = await api.createRelay({ url: source.url, backfill: true, notes: 'ours' })
  assert.equal(made.direction, 'down')
  assert.equal((await api.relay(made.id)).url, made.url)
  assert.equal((await api.relay(source.url)).id, made.id, 'by its URL too')
  const state = await until(async () => {
    const [one] = await api.relayStates(made.id)
    return one !== undefined && one.events_downloaded > 0 && one.status === 'completed' ? one : undefined
  })
  assert.equal(state.relay_id, made.id)
  assert.ok(
    seen.some(({ id }) => id === state.id),
    'the event stream told of it',
  )
  listening.abort()
  await listener

  assert.equal((await api.relays({ enabled: true, direction: 'down' })).length, 1)
  assert.equal((await api.relays({ enabled: false })).length, 0)
  assert.equal((await api.relays({ direction: 'up' })).length, 0)
  assert.ok((await api.syncStates({ relay: made.id })).length === 1)
  const [run] = await api.relayRuns(made.id, { limit: 1 })
  assert.equal(run?.relay_id, made.id)
  assert.equal((await api.syncRelay(made.id, 'full')).mode, 'full')
  assert.equal((await api.triggerSync('upload', source.url)).skipped[0]?.reason, 'direction_mismatch')
  assert.equal(
    (await api.triggerSync('realtime', 'wss://nobody.example')).skipped[0]?.reason,
    'unknown_relay',
  )
  assert.deepEqual(await api.deadLetters(made.id), [])
  assert.deepEqual(await api.reviveDeadLetters(made.id), { revived: 0 })
  assert.equal(typeof (await api.recoverSync()).recovered_stale, 'number')
  await api.stopRelay(made.id)
  assert.equal((await api.relay(made.id)).runtime.state, 'stopped')
  await api.startRelay(made.id)
  assert.equal((await api.relay(made.id)).runtime.state, 'running')
  assert.equal((await api.updateRelay(made.id, { notes: null })).notes, null)
  assert.deepEqual(await api.resetRelay(made.id), { reset: 1 })
  assert.deepEqual(await api.resetSync(), { reset: 1 })
  await api.deleteRelay(made.id)
  assert.deepEqual(await api.relays(), [])

  await documentsBy(api, world.node)

  const key = await api.createApiKey({ name: 'second', scopes: ['read'] })
  assert.ok((await api.apiKeys()).some(({ id }) => id === key.id))
  await api.revokeApiKey(key.id)
  assert.equal((await api.auditLog({ limit: 1 }))[0]?.method, 'revokeApiKey')

  const all = Object.getOwnPropertyNames(SynclineClient.prototype).filter((name) => name !== 'constructor')
  assert.deepEqual(
    all.filter((name) => !used.has(name)),
    [],
    'calls without a test',
  )
})

/** Every call about documents. */
async function documentsBy(api: SynclineClient, node: Node): Promise<void> {
  assert.equal((await api.documents())?.databases.total, 0)
  await using stage = await documentsStage(node)
  const made = await api.createDocumentDatabase('mine')
  assert.deepEqual([made.name, made.shared, made.permission], ['mine', false, 'admin:0'])
  const { ticket } = await stage.other.documents.ticket('theirs')
  assert.equal((await api.joinDocumentDatabase({ ticket })).name, 'theirs')
  const names = (await api.documentDatabases()).map(({ name }) => name).sort()
  assert.deepEqual(names, ['mine', 'shared', 'theirs'])
  assert.equal((await api.shareDocumentDatabase('mine', { everySeconds: 9 })).shared, true)
  await api.unshareDocumentDatabase('mine')
  assert.equal((await api.documentDatabase(made.id)).shared, false)
  assert.equal((await api.documentTicket('mine')).local, true)
  assert.deepEqual(
    (await api.syncDocuments('theirs')).map(({ outcome }) => outcome),
    ['in-step'],
  )
  assert.ok((await api.syncDocuments()).length >= 2)
  assert.equal((await api.documentSyncAttempts('theirs', { limit: 1 }))[0]?.error, null)
  const [first, second] = await api.documentAccessRequests({ status: 'pending' })
  assert.equal((await api.approveDocumentAccess(first!.id, 'write:7')).granted, 'write:7')
  assert.equal((await api.rejectDocumentAccess(second!.id)).status, 'rejected')
  await assert.rejects(api.rejectDocumentAccess(second!.id), { status: 409, code: 'document/access-request' })
  const open = await api.grantDocumentAccess('mine', { key: 'everybody', permission: 'read' })
  assert.equal(open.everybody, 'read')
  assert.equal((await api.revokeDocumentAccess('mine', 'everybody')).everybody, null)
  const [peer] = await api.documentPeers()
  await api.blockDocumentPeer(peer!.key)
  assert.deepEqual(await api.documentPeers(), [])
}

test('what fails is an ApiError with status, code and a sentence', async () => {
  await using world = await adminWorld()
  const api = new SynclineClient({ url: `${world.url}/`, token: world.token })
  const nobody = new SynclineClient({ url: world.url, token: 'rlk_nobody' })
  const nowhere = new SynclineClient({ url: 'http://127.0.0.1:1', token: world.token })
  const failing: readonly [() => Promise<unknown>, Partial<ApiError>][] = [
    [() => nobody.status(), { status: 401, code: 'unauthorized' }],
    [() => api.relay('none'), { status: 404, code: 'not-found' }],
    [() => api.createRelay({ url: 'http://x' }), { status: 422 }],
    [() => nowhere.status(), { status: 0, code: 'unreachable' }],
  ]
  for (const [call, expected] of failing)
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ApiError)
      for (const [key, value] of Object.entries(expected)) assert.equal(error[key as keyof ApiError], value)
      assert.ok(error.message.length > 5)
      return true
    })
  await assert.rejects(api.status({ signal: AbortSignal.abort(new Error('enough')) }), /enough/)
})
