import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { decodeHex, encodeHex } from './id.ts'
import { Initiator, type InitiatorOptions } from './initiator.ts'
import { ItemVector } from './item-vector.ts'
import { MessageWriter, mode } from './message-writer.ts'
import { NegentropyError, type NegentropyErrorCode } from './negentropy-error.ts'
import { Responder } from './responder.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const ids = Array.from({ length: 2000 }, (_, k) => sha256(`item${k}`))
const fails = (code: NegentropyErrorCode) => (error: unknown) =>
  error instanceof NegentropyError && error.code === code

test('E-118 bounds that descend, ranges behind infinity and overlong messages are malformed', () => {
  const responder = () => new Responder(ItemVector.from([]), { maxMessageBytes: 100 })
  const broken = ['6105000006000000000000', '610602aaff000102aafe00', '6100000000000000', '6100000000000200']
  for (const hex of broken)
    assert.throws(() => responder().step(decodeHex(hex)), fails('negentropy/malformed'), hex)
  const equalBounds = '610602aaff000102aaff00'
  assert.equal(encodeHex(responder().step(decodeHex(equalBounds)).reply), '61')
  const long = new Uint8Array(101).fill(0x61)
  assert.throws(() => responder().step(long), fails('negentropy/malformed'))
})

const hostileSet = ItemVector.from(ids.map((id, k) => ({ timestamp: k, id })))

/** Lets an initiator talk to `peer` until it ends or throws. */
function talk(
  peer: (message: Uint8Array, round: number) => Uint8Array,
  options: InitiatorOptions = {},
): number {
  const initiator = new Initiator(hostileSet, options)
  let round = 0
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; )
    message = initiator.step(peer(message, round++)).reply
  return initiator.rounds
}

function wrongFingerprint(writer: MessageWriter, round: number): void {
  const at = writer.space(16)
  writer.bytes.fill(round + 1, at, at + 16)
}

test('T-MAL-6 a peer that echoes one wrong fingerprint for ever is cut off', () => {
  const echo = decodeHex(`61000001${'ab'.repeat(16)}`)
  let rounds = 0
  assert.throws(
    () =>
      talk((_message, round) => {
        rounds = round
        return echo
      }),
    fails('negentropy/no-progress'),
  )
  assert.ok(rounds < 10)
})

test('T-MAL-6 a peer that changes its wrong fingerprints and bounds is cut off too', () => {
  let rounds = 0
  const never = (_message: Uint8Array, round: number) => {
    rounds = round
    const writer = new MessageWriter()
    writer.begin()
    writer.headerOf(1 + (round % 1990), new Uint8Array(32), 0, 0, mode.fingerprint)
    wrongFingerprint(writer, round)
    writer.headerOf(Number.POSITIVE_INFINITY, new Uint8Array(32), 0, 0, mode.fingerprint)
    wrongFingerprint(writer, round)
    return writer.take()
  }
  assert.throws(() => talk(never), fails('negentropy/no-progress'))
  assert.ok(rounds <= 10_000)
  assert.throws(() => talk(never, { maxRounds: 20 }), fails('negentropy/no-progress'))
  assert.equal(rounds, 20)
})

test('T-MAL-6 a peer that asks about the same items again and again is cut off', () => {
  let lists = 0
  const again = (_message: Uint8Array, round: number) => {
    const writer = new MessageWriter()
    writer.begin()
    writer.headerOf(1998 - (round % 500), new Uint8Array(32), 0, 0, mode.idList)
    writer.varint(1)
    const at = writer.space(32)
    writer.bytes.set(decodeHex(sha256(`new${round}`)), at)
    writer.headerOf(Number.POSITIVE_INFINITY, new Uint8Array(32), 0, 0, mode.fingerprint)
    wrongFingerprint(writer, round)
    lists++
    return writer.take()
  }
  assert.throws(() => talk(again), fails('negentropy/no-progress'))
  assert.ok(lists < 200)
})

test('T-MAL-6 more claimed ids than maxNeed end the session', () => {
  const writer = new MessageWriter()
  writer.begin()
  writer.headerOf(Number.POSITIVE_INFINITY, new Uint8Array(32), 0, 0, mode.idList)
  writer.varint(101)
  const at = writer.space(101 * 32)
  for (let k = 0; k < 101; k++) writer.bytes.set(decodeHex(sha256(`claimed${k}`)), at + 32 * k)
  assert.throws(() => talk(() => writer.take(), { maxNeed: 100 }), fails('negentropy/too-many-ids'))
  assert.equal(
    talk(() => writer.take(), { maxNeed: 101 }),
    1,
  )
})

test('a list that names an id twice, or one we hold twice, is reported right', () => {
  const [held, lacked] = [ids[0]!, ids[1]!]
  for (const repeats of [1, 20]) {
    const list = [held, lacked].flatMap((id) => Array.from({ length: repeats + 1 }, () => id))
    const initiator = new Initiator(ItemVector.from([{ timestamp: 1, id: held }]))
    initiator.initiate()
    const hex = `61000002${list.length.toString(16).padStart(2, '0')}${list.join('')}`
    assert.deepEqual(initiator.step(decodeHex(hex)), { reply: undefined, have: [], need: [lacked] })
  }
})

test('a session is used in order, and is over after an error', () => {
  const initiator = new Initiator(hostileSet)
  assert.throws(() => initiator.step(Uint8Array.of(0x61)), fails('negentropy/out-of-order'))
  initiator.initiate()
  assert.throws(() => initiator.initiate(), fails('negentropy/out-of-order'))
  assert.equal(initiator.step(Uint8Array.of(0x61)).reply, undefined)
  assert.throws(() => initiator.step(Uint8Array.of(0x61)), fails('negentropy/out-of-order'))
  const responder = new Responder(hostileSet, { maxRounds: 2 })
  responder.step(Uint8Array.of(0x61))
  responder.step(Uint8Array.of(0x61))
  assert.throws(() => responder.step(Uint8Array.of(0x61)), fails('negentropy/no-progress'))
  assert.throws(() => responder.step(Uint8Array.of(0x61)), fails('negentropy/out-of-order'))
})

test('options out of range are refused', () => {
  const refused = fails('negentropy/invalid-option')
  for (const frameLimit of [-1, 1, 1299, Number.NaN])
    assert.throws(() => new Responder(hostileSet, { frameLimit }), refused)
  assert.throws(() => new Initiator(hostileSet, { maxRounds: 0 }), refused)
  assert.throws(() => new Initiator(hostileSet, { maxNeed: -1 }), refused)
})
