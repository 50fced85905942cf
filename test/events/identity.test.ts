import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { notes } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { syncWorld } from '../helpers/sync-world.ts'

const key = 'ab'.repeat(32)
const other = 'cd'.repeat(32)
const required = { relay_info_mode: 'required', auth_pubkey: key }
const saying = (info: Record<string, unknown>): Personality => ({ info, connect: () => ({}) })
const answering = (document: (response: ServerResponse) => void): Personality => ({
  document,
  connect: () => ({}),
})

async function attempt(is: Personality, definition: Record<string, unknown>) {
  await using peer = await ScriptPeer.listen({ events: notes(3), is: [is] })
  await using world = await syncWorld()
  const run = await world.sync(peer.url, { definition })
  return { run, connections: peer.connections, held: await world.held(), documents: peer.infoRequests.length }
}

test('E-35 no WebSocket is opened before the document has said who is there', async () => {
  const refused = await attempt(saying({ self: other }), required)
  assert.deepEqual([refused.connections, refused.documents], [0, 1])
  const accepted = await attempt(saying({ self: key }), required)
  assert.equal(accepted.run.state, 'idle', `${accepted.run.reason}`)
  assert.equal(accepted.held.length, 3)
})

const broken: [fault: string, Personality, permanent: boolean][] = [
  ['remote_identity_mismatch', saying({ self: other }), true],
  ['missing_remote_identity', saying({ name: 'somebody' }), false],
  ['invalid_relay_info', answering((response) => response.end('<html>')), false],
  ['relay_info_request_failed', answering((response) => response.writeHead(500).end()), true],
]
for (const [fault, is, permanent] of broken) {
  test(`E-36 an information document in want of what it must say is ${fault}, and only a wrong key is one in the optional mode`, async () => {
    const { run, connections } = await attempt(is, required)
    assert.equal(run.fault?.name, fault, `${run.reason}`)
    assert.equal(run.fault?.permanent, permanent)
    assert.equal(connections, 0)
    const optional = await attempt(is, { ...required, relay_info_mode: 'optional' })
    assert.equal(optional.run.fault?.name, fault === 'remote_identity_mismatch' ? fault : undefined)
    const disabled = await attempt(is, { relay_info_mode: 'disabled' })
    assert.deepEqual([disabled.run.state, disabled.documents], ['idle', 0])
  })
}

test('E-36 a document that does not come within ten seconds is relay_info_timeout', async () => {
  await using peer = await ScriptPeer.listen({ is: [answering(() => {})] })
  await using world = await syncWorld()
  const running = world.sync(peer.url, { definition: required })
  await peer.until(() => peer.infoRequests.length > 0)
  await world.clock.advance(10_000)
  assert.equal((await running).fault?.name, 'relay_info_timeout')
  assert.equal(peer.connections, 0)
})

test('E-37 the key of the relay counts before the one of its administrator, unless the definition says otherwise', async () => {
  const both = saying({ self: key, pubkey: other })
  assert.equal((await attempt(both, required)).run.state, 'idle')
  const admin = await attempt(both, { ...required, auth_pubkey: other })
  assert.equal(admin.run.fault?.name, 'remote_identity_mismatch')
  const asked = await attempt(both, { ...required, auth_pubkey: other, identity_field: 'pubkey' })
  assert.equal(asked.run.state, 'idle', `${asked.run.reason}`)
  assert.equal((await attempt(saying({ pubkey: key }), required)).run.state, 'idle')
})

test('E-20 a relay with our own key is this node itself, and is not connected to', async () => {
  await using world = await syncWorld()
  await using peer = await ScriptPeer.listen({ is: [saying({ self: world.identity.pubkey })] })
  const run = await world.sync(peer.url)
  assert.equal(run.fault?.name, 'self_connection')
  assert.equal(peer.connections, 0)
})

test('a document that was found right is believed for ten minutes', async () => {
  await using peer = await ScriptPeer.listen({ is: [saying({ self: key })] })
  await using world = await syncWorld()
  const sync = () => world.sync(peer.url, { definition: required })
  await sync()
  await sync()
  assert.equal(peer.infoRequests.length, 1)
  await world.clock.advance(601_000)
  await sync()
  assert.equal(peer.infoRequests.length, 2)
})
