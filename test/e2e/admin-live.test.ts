import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { SynclineClient, type SyncState } from '../../src/sdk/index.ts'
import { adminWorld } from '../helpers/admin-world.ts'
import { runCommand } from '../helpers/command.ts'
import { notes } from '../helpers/notes.ts'
import { startNode } from '../helpers/running-node.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const recently = () => Math.floor(Date.now() / 1_000) - 60
const create = (url: string) => ({ body: { upstream_relay: { url } } })

test('E-99 a relay that is disabled has no connection once that is answered; one that is deleted leaves no state', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(3, 1, undefined, recently()) })
  await using world = await adminWorld()
  world.node.start()
  const { body: made } = await world.call('post', '/relays', create(peer.url))
  const api = new SynclineClient({ url: world.url, token: world.token })
  await firstState(api, ({ phase }) => phase === 'live')
  assert.equal((await api.relay(made.id)).runtime['connected?'], true)

  const disabled = await world.call('patch', `/relays/${made.id}`, {
    body: { upstream_relay: { enabled: false } },
  })
  assert.equal(disabled.body.enabled, false)
  assert.equal(disabled.body.runtime['connected?'], false)
  assert.equal((await api.relay(made.id)).runtime['connected?'], false)
  await peer.until(({ open }) => open === 0)

  await api.updateRelay(made.id, { enabled: true })
  await firstState(api, ({ phase }) => phase === 'live')
  assert.equal((await world.call('delete', `/relays/${made.id}`)).status, 204)
  assert.deepEqual(await api.syncStates(), [])
  assert.deepEqual(await api.relays(), [])
  await peer.until(({ open }) => open === 0)
  const { body: again } = await world.call('post', '/relays', create(peer.url))
  assert.equal((await api.relayStates(again.id))[0]?.events_downloaded, 0, 'nothing is left of before')
})

/** The first state the event stream tells of that `holds`. */
async function firstState(api: SynclineClient, holds: (state: SyncState) => boolean): Promise<SyncState> {
  const listening = new AbortController()
  try {
    for await (const state of api.events({ signal: listening.signal })) if (holds(state)) return state
  } finally {
    listening.abort()
  }
  throw new Error('the stream ended')
}

test('who listens gets the newest state of each link first, however late it comes', async () => {
  await using peer = await ScriptPeer.listen({ events: notes(5, 1, undefined, recently()) })
  await using world = await adminWorld()
  world.node.start()
  const api = new SynclineClient({ url: world.url, token: world.token })
  await api.createRelay({ url: peer.url })
  await firstState(api, ({ phase }) => phase === 'live')
  const late = await firstState(api, () => true)
  assert.equal(late.phase, 'live')
  assert.equal(late.events_downloaded, 5)
})

test('listeners are bounded, free their place when they leave, and end with the listener', async () => {
  await using world = await adminWorld()
  const stop = new AbortController()
  const headers = { authorization: `Bearer ${world.token}` }
  const listen = () => fetch(`${world.url}/api/v1/events`, { headers, signal: stop.signal })
  const opened: Response[] = []
  for (;;) {
    const response = await listen()
    if (response.status !== 200) {
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
      break
    }
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    opened.push(response)
  }
  assert.equal(opened.length, 32)
  await opened.pop()!.body!.cancel()
  for (;;) {
    const response = await listen()
    if (response.status === 503) continue
    opened.push(response)
    break
  }
  const ends = opened.map(async (response) => {
    for await (const _ of response.body!) {
      // Nothing happens on a node without relays.
    }
  })
  await world[Symbol.asyncDispose]()
  await Promise.allSettled(ends)
  stop.abort()
})

test('metrics tell of relays and calls; a key is needed where the configuration says so', async () => {
  await using open = await adminWorld()
  await open.call('post', '/relays', create('ws://127.0.0.1:1'))
  const text = await (await fetch(`${open.url}/metrics`)).text()
  assert.match(text, /^syncline_stored_events 0$/m)
  assert.match(text, /^syncline_link_connected\{peer="[0-9a-f-]{36}",direction="down",strategy="\w+"\} 0$/m)
  assert.match(text, /^syncline_admin_requests_total\{operation="createRelay",status="201"\} 1$/m)
  await using closed = await adminWorld({ adminMetricsAccess: 'key' })
  assert.equal((await fetch(`${closed.url}/metrics`)).status, 401)
  const headers = { authorization: `Bearer ${await closed.key('read')}` }
  assert.equal((await fetch(`${closed.url}/metrics`, { headers })).status, 200)
})

test('the admin listener can be switched off, and says what to do when its port is taken', async () => {
  await using folder = await temporaryFolder()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const taken = await runCommand(['up', '--data', folder.path, '--port', '0', '--admin-port', String(port)])
    assert.equal(taken.code, 1)
    assert.match(
      taken.stderr,
      /the admin listener cannot listen on 127\.0\.0\.1:\d+: .*--admin-enabled false/,
    )
    const flags = ['--admin-port', String(port), '--admin-enabled', 'false']
    await using node = await startNode(folder.path, flags)
    assert.equal(node.admin, undefined)
  } finally {
    server.close()
  }
})
