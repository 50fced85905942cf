import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encode } from '@ipld/dag-cbor'
import { digestOf, type EntryId } from '../../src/planes/documents/entry/entry-id.ts'
import { KeyPair, verifySignature } from '../../src/planes/documents/entry/key-pair.ts'
import {
  protocolVersion,
  type RequestSigners,
  responderOf,
  sealRequest,
  sealResponse,
} from '../../src/planes/documents/sync/wire/envelope.ts'
import { decodeMessage, encodeMessage } from '../../src/planes/documents/sync/wire/message-codec.ts'
import {
  type RequestEnvelope,
  requestEnvelopeSchema,
  requestSchema,
  type SyncRequest,
} from '../../src/planes/documents/sync/wire/request.ts'
import { responseEnvelopeSchema, responseSchema } from '../../src/planes/documents/sync/wire/response.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { alice, bob, forge } from '../helpers/document-keys.ts'
import { type SyncPeer, syncWorld } from '../helpers/document-network.ts'
import { entriesOf, put } from '../helpers/document-world.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

/** Speaks to a node byte by byte, as no honest client would. */
class Attacker {
  readonly device = KeyPair.generate()
  readonly #target: SyncPeer
  #nonce = 0

  constructor(target: SyncPeer) {
    this.#target = target
  }

  async send(message: Uint8Array) {
    const answer = await this.#target.sync.handler(message)
    const envelope = decodeMessage(responseEnvelopeSchema, answer)!
    assert.equal(responderOf(message, envelope), this.#target.instance.id)
    return decodeMessage(responseSchema, envelope.body)!
  }

  /** The code of the refusal, or the type of the answer. */
  async outcome(message: Uint8Array): Promise<string> {
    const answer = await this.send(message)
    return answer.type === 'error' ? answer.code : answer.type
  }

  async seal(
    request: SyncRequest,
    change: Partial<RequestEnvelope> = {},
    signers: Partial<RequestSigners> = {},
  ): Promise<RequestEnvelope> {
    const nobody = { version: protocolVersion, to: '', epoch: new Uint8Array(0), time: 0 }
    const hello = sealRequest(
      { device: this.device },
      { ...nobody, nonce: this.#fresh(), body: encodeMessage(requestSchema, { type: 'hello' }) },
    )
    const greeting = await this.send(encodeMessage(requestEnvelopeSchema, hello))
    assert.ok(greeting.type === 'hello')
    const { epoch, time } = greeting
    const body = encodeMessage(requestSchema, request)
    const to = this.#target.instance.id
    const unsigned = { version: protocolVersion, to, epoch, time, nonce: this.#fresh(), body, ...change }
    return sealRequest({ device: this.device, ...signers }, unsigned)
  }

  #fresh(): Uint8Array {
    const nonce = new Uint8Array(32)
    nonce[0] = this.#nonce += 1
    return nonce
  }
}

const bytesOf = (envelope: RequestEnvelope) => encodeMessage(requestEnvelopeSchema, envelope)

async function target(options: { readonly clock?: FakeClock } = {}) {
  const world = await syncWorld(1, options)
  const [peer] = world.peers as [SyncPeer]
  const database = await peer.instance.createDatabase({ key: alice })
  await put(database, 'a', 'b')
  await peer.sync.setSyncSettings(database.id, syncEnabled)
  const pull: SyncRequest = { type: 'sync', tree: database.id, tips: [] }
  return { world, peer, database, pull, attacker: new Attacker(peer) }
}

describe('requests of the documents protocol', () => {
  it('D-108 one request is served once, and by nobody else, and not by a later run of the same node', async () => {
    const { world, peer, pull, attacker } = await target()
    await using _ = world
    const request = bytesOf(await attacker.seal(pull, {}, { access: alice }))
    assert.equal(await attacker.outcome(request), 'sync')
    assert.equal(await attacker.outcome(request), 'replayed')
    const other = await attacker.seal(pull, { to: bob.publicKey }, { access: alice })
    assert.equal(await attacker.outcome(bytesOf(other)), 'stale')
    const kept = bytesOf(await attacker.seal(pull, {}, { access: alice }))
    await peer.restart()
    assert.equal(await attacker.outcome(kept), 'stale')
  })

  it('D-108 a request is good for a minute', async () => {
    const clock = new FakeClock()
    const { world, pull, attacker } = await target({ clock })
    await using _ = world
    for (const [age, outcome] of [
      [59_000, 'sync'],
      [600_000, 'expired'],
    ] as const) {
      const request = bytesOf(await attacker.seal(pull, {}, { access: alice }))
      clock.jump(age)
      assert.equal(await attacker.outcome(request), outcome)
    }
  })

  it('D-108 a clock that was set, on either side, shuts nobody out', async () => {
    const clock = new FakeClock()
    await using world = await syncWorld(2, { clock })
    const [a, b] = world.peers as [SyncPeer, SyncPeer]
    const database = await a.instance.createDatabase({ key: alice })
    await a.sync.setSyncSettings(database.id, syncEnabled)
    b.sync.setAccessKey(database.id, alice)
    const peer = await b.sync.connect(a.address)
    for (const jump of [0, 3_600_000, -7_200_000]) {
      clock.jump(jump)
      await put(database, `after ${jump}`, 'v')
      await b.sync.syncTree(peer, database.id)
    }
    assert.equal(await (await b.instance.database(database.id)).count(), 4)
  })

  it('D-106 D-107 what is signed by nobody who may read gets nothing, whatever it claims to know', async () => {
    const { world, database, pull, attacker } = await target()
    await using _ = world
    const tips = [...(await database.tips())]
    assert.equal(await attacker.outcome(bytesOf(await attacker.seal(pull))), 'denied')
    assert.equal(
      await attacker.outcome(bytesOf(await attacker.seal({ ...pull, tips } as SyncRequest))),
      'denied',
    )
    const honest = await attacker.seal(pull, {}, { access: bob })
    const claimed = { ...honest, access: { ...honest.access!, key: alice.publicKey } }
    assert.equal(await attacker.outcome(bytesOf(claimed)), 'unauthentic')
    const altered = { ...honest, body: encodeMessage(requestSchema, { type: 'trees' }) }
    assert.equal(await attacker.outcome(bytesOf(altered)), 'unauthentic')
  })

  it("D-108 a key's proof for one device is none for another", async () => {
    const { world, pull, attacker } = await target()
    await using _ = world
    const seen = await attacker.seal(pull, {}, { access: alice })
    const own = await attacker.seal(
      pull,
      { nonce: seen.nonce, epoch: seen.epoch, time: seen.time },
      { device: bob },
    )
    assert.equal(await attacker.outcome(bytesOf({ ...own, access: seen.access! })), 'unauthentic')
  })

  it('D-119 entries of somebody who may not read are not even looked at', async () => {
    const { world, peer, database, attacker } = await target()
    await using _ = world
    await using elsewhere = await syncWorld(1)
    const [other] = elsewhere.peers as [SyncPeer]
    await other.instance.ingest((await entriesOf(database)).map(({ bytes }) => bytes))
    const copy = await other.instance.database(database.id, { key: alice })
    await put(copy, 'pushed', 'by a stranger')
    const entries = (await entriesOf(copy)).slice(-1).map(({ bytes }) => bytes)
    const before = await database.tips()
    const push: SyncRequest = { type: 'sync', tree: database.id, tips: [], entries }
    assert.equal(await attacker.outcome(bytesOf(await attacker.seal(push))), 'denied')
    assert.deepEqual(await database.tips(), before)
    assert.equal(await peer.instance.read((view) => view.heldCount(database.id)), 0)
    assert.equal(await attacker.outcome(bytesOf(await attacker.seal(push, {}, { access: alice }))), 'sync')
    assert.notDeepEqual(await database.tips(), before)
  })

  it('D-59 what a message says of the standing of an entry is passed over', async () => {
    const { world, peer, database, attacker } = await target()
    await using _ = world
    const bad = await forge(database, bob, () => ({}))
    const orphan = await forge(database, alice, () => ({ parents: [bad.id], height: 9 }))
    const push = {
      type: 'sync',
      tree: digestOf(database.id),
      tips: [],
      entries: [orphan.bytes, bad.bytes],
      status: 'verified',
      verified: [digestOf(bad.id), digestOf(orphan.id)],
    }
    const before = await database.tips()
    const sealed = await attacker.seal({ type: 'trees' }, { body: encode(push) }, { access: alice })
    assert.equal(await attacker.outcome(bytesOf(sealed)), 'sync')
    assert.deepEqual(await database.tips(), before)
    const status = (id: EntryId) => peer.instance.read((view) => view.status(id))
    assert.notEqual(await status(bad.id), 'verified')
    assert.notEqual(await status(orphan.id), 'verified')
  })

  it('D-120 nothing a node signs for others is a signature of what they chose', async () => {
    const { world, peer, database, attacker } = await target()
    await using _ = world
    const [entry] = await entriesOf(database)
    const chosen = [entry!.signingBytes, encode({ a: 1 }), new Uint8Array(32)]
    for (const bytes of chosen) {
      const answer = decodeMessage(responseEnvelopeSchema, await peer.sync.handler(bytes))!
      assert.equal(verifySignature(peer.instance.id, bytes, answer.signature), false)
      assert.equal(verifySignature(peer.instance.id, answer.body, answer.signature), false)
    }
    const nonce = entry!.signingBytes.slice(0, 32)
    const hello = await attacker.seal({ type: 'hello' }, { nonce })
    const answer = decodeMessage(responseEnvelopeSchema, await peer.sync.handler(bytesOf(hello)))!
    assert.equal(verifySignature(peer.instance.id, nonce, answer.signature), false)
  })

  it('D-85 another version is refused by both sides, with both named', async () => {
    const { world, peer, attacker, pull } = await target()
    await using _ = world
    const answer = await attacker.send(bytesOf(await attacker.seal(pull, { version: 2 })))
    assert.ok(answer.type === 'error' && answer.code === 'version')
    assert.match(answer.message, /1.*2/)
    // And the other way round: a responder of another version, whose answer is refused.
    const newer = KeyPair.generate()
    await using listening = await world.network.transport('newer').listen!(async (message) => {
      const body = encodeMessage(responseSchema, { type: 'hello', epoch: new Uint8Array(16), time: 0 })
      return encodeMessage(responseEnvelopeSchema, { ...sealResponse(newer, message, body), version: 2 })
    })
    await assert.rejects(peer.sync.connect(listening.addresses[0]!), {
      code: 'document/peer-protocol',
      message: /version 2.*not 1/,
    })
    assert.deepEqual(peer.sync.peers.peers(), [])
  })

  it('whatever is sent is answered, and stores nothing', async () => {
    const { world, peer, database, attacker, pull } = await target()
    await using _ = world
    const deep = Buffer.alloc(200_000, 0x81)
    const whole = bytesOf(await attacker.seal(pull, {}, { access: alice }))
    for (const bytes of [new Uint8Array(0), deep, Buffer.alloc(9 * 1024 * 1024), whole.slice(0, -1)])
      assert.equal(await attacker.outcome(bytes), 'bad-request')
    const garbage: SyncRequest = {
      type: 'sync',
      tree: database.id,
      tips: [],
      entries: [deep.subarray(0, 100)],
    }
    const answer = await attacker.send(bytesOf(await attacker.seal(garbage, {}, { access: alice })))
    assert.ok(answer.type === 'sync')
    assert.deepEqual(answer.refused, [{ code: 'document/bad-encoding' }])
    const wrong: SyncRequest = { type: 'reconcile', tree: database.id, message: deep.subarray(0, 100) }
    assert.equal(
      await attacker.outcome(bytesOf(await attacker.seal(wrong, {}, { access: alice }))),
      'bad-request',
    )
    assert.equal(await peer.instance.read((view) => view.heldCount(database.id)), 0)
  })
})
