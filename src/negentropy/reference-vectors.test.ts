import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { decodeHex, encodeHex } from './id.ts'
import { Initiator } from './initiator.ts'
import { ItemVector } from './item-vector.ts'
import type { Key } from './key.ts'
import { NegentropyError, type NegentropyErrorCode } from './negentropy-error.ts'
import { Responder } from './responder.ts'

/** The vectors of events.md §5.12, which were taken from the reference implementation without frame limits. */
const unlimited = { frameLimit: 0 }

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function events(from: number, to: number, without: (k: number) => boolean = () => false): Key[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
    .filter((k) => !without(k))
    .map((k) => ({ timestamp: 1_700_000_000 + k, id: sha256(`event${k}`) }))
}

const E = (n: number) => ItemVector.from(events(0, n))
const one = ItemVector.from([{ timestamp: 1_700_000_000, id: 'aa'.repeat(32) }])
const empty = ItemVector.from([])

const initiate = (set: ItemVector) => encodeHex(new Initiator(set, unlimited).initiate())
const respond = (set: ItemVector, hex: string, frameLimit = 0) =>
  encodeHex(new Responder(set, { frameLimit }).step(decodeHex(hex)).reply)

function step(set: ItemVector, hex: string) {
  const initiator = new Initiator(set, unlimited)
  initiator.initiate()
  return initiator.step(decodeHex(hex))
}

function isMessage(hex: string, bytes: number, digest: string): void {
  assert.equal(hex.length, 2 * bytes)
  assert.equal(sha256(hex), digest)
}

function reconcile(ours: ItemVector, theirs: ItemVector, ourLimit = 0, theirLimit = 0) {
  const initiator = new Initiator(ours, { frameLimit: ourLimit })
  const responder = new Responder(theirs, { frameLimit: theirLimit })
  const seen = { rounds: 0, up: 0, down: 0, largestUp: 0, largestDown: 0 }
  const have: string[] = []
  const need: string[] = []
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
    const answer = responder.step(message).reply
    seen.rounds++
    seen.up += message.length
    seen.down += answer.length
    seen.largestUp = Math.max(seen.largestUp, message.length)
    seen.largestDown = Math.max(seen.largestDown, answer.length)
    const found = initiator.step(answer)
    have.push(...found.have)
    need.push(...found.need)
    message = found.reply
  }
  return { ...seen, have, need }
}

const fails = (code: NegentropyErrorCode) => (error: unknown) =>
  error instanceof NegentropyError && error.code === code

test('E-111 V1–V4: empty sets and sets of one', () => {
  assert.equal(initiate(empty), '6100000200')
  assert.equal(initiate(one), `6100000201${'aa'.repeat(32)}`)
  assert.equal(respond(empty, '6100000200'), '6100000200')
  assert.equal(respond(one, '6100000200'), `6100000201${'aa'.repeat(32)}`)
  assert.deepEqual(step(empty, `6100000201${'aa'.repeat(32)}`), {
    reply: undefined,
    have: [],
    need: ['aa'.repeat(32)],
  })
})

test('E-111 V5–V7: lists below 32 items, 16 fingerprints from 32 on', () => {
  isMessage(initiate(E(31)), 997, '77a608a7ae8fd4981745d43716facd4a320fa506f041560fae9f3094f946dc7e')
  isMessage(initiate(E(32)), 309, 'b4aa3b663e960cf5c85544532db9b10eee2db387a7f363fe820f046f6810d898')
  isMessage(initiate(E(33)), 309, '2112062817be9deb4991e90be2cf011ec0aca4d05e779d196ef29785f5edf3ba')
})

test('E-111 V8–V9: the responder skips what is equal', () => {
  const answer = respond(E(31), initiate(E(32)))
  assert.equal(
    answer,
    '6186aacfe21f0000000002016525bebff685bedf57356640a84a0392d8f0a3e865e3407ee14944120f445ffd',
  )
  const found = step(E(32), answer)
  assert.deepEqual(found, {
    reply: undefined,
    have: ['6f361080491b75223aa352fa0827ea58a8c9d68af8d29a0f8de4cb4769b99fc3'],
    need: [],
  })
})

test('E-111 E-115 V10: equal sets end in one round with a bare version byte', () => {
  isMessage(initiate(E(200)), 309, 'a0ad4e776992fdc1fdb68ac86c32d7f5619030deedcd0e0957a9873e87b5c2ef')
  assert.equal(respond(E(200), initiate(E(200))), '61')
  assert.deepEqual(step(E(200), '61'), { reply: undefined, have: [], need: [] })
})

test('E-111 V11–V12: two items missing on either side', () => {
  const lacking = ItemVector.from(events(0, 200, (k) => k === 5 || k === 140))
  const two = [sha256('event5'), sha256('event140')]
  const shorter = respond(lacking, initiate(E(200)))
  isMessage(shorter, 753, '56c74227d72595a2c0fc161b689d0af5660b3447ad271fc41f2bec9374433667')
  assert.deepEqual(step(E(200), shorter), { reply: undefined, have: two, need: [] })
  assert.equal(sha256(initiate(lacking)), '0af94e430e108a415e047ae759c45b8f08b93fb968fd4bbdf18775e5cd47f6ed')
  const longer = respond(E(200), initiate(lacking))
  isMessage(longer, 880, 'e2c4132f773e2e03377a0f34b72ccb5eb74caa2db9ba3567752b7794408f91af')
  assert.deepEqual(step(lacking, longer), { reply: undefined, have: [], need: two })
})

test('E-111 V13: equal timestamps are told apart by prefixes of one byte', () => {
  const same = ItemVector.from(
    Array.from({ length: 40 }, (_, k) => ({ timestamp: 1_700_000_000, id: sha256(`same${k}`) })),
  )
  assert.equal(initiate(same).length, 648)
  assert.ok(initiate(same).startsWith('6186aacfe2010116'))
})

test('E-111 V14–V15: an answer is cut at the frame limit', () => {
  const set = E(20_000)
  const cut = respond(set, '6100000200', 4096)
  isMessage(cut, 3964, '4a2e3bbe450ca38c408a836ae1cd790cdd15060c7983d44d22d9cb7ecdffc1df')
  assert.ok(cut.includes('e27b20be465b43'))
  const whole = respond(set, '6100000200')
  isMessage(whole, 640_007, '4fc6535ec78764b17f6ac6dd98bd19502f4fe7b58769b7bbf265ca8084068ace')
})

test('E-111 V16: an empty initiator pages through a limited responder', () => {
  const found = reconcile(empty, E(20_000), 4096, 4096)
  assert.equal(found.rounds, 164)
  assert.equal(found.need.length, 20_000)
  assert.equal(new Set(found.need).size, 20_000)
  assert.equal(found.largestUp, 44)
  assert.equal(found.largestDown, 3999)
})

test('E-111 V17: spread differences, with and without limits', () => {
  const ours = ItemVector.from(events(0, 20_000, (k) => k % 100 === 0))
  const theirs = ItemVector.from(events(0, 20_000, (k) => k % 77 === 0))
  const limited = reconcile(ours, theirs, 60_000, 500_000)
  assert.equal(limited.rounds, 3)
  assert.equal(limited.need.length, 197)
  assert.equal(limited.have.length, 257)
  assert.equal(limited.up, 64_806)
  assert.equal(limited.down, 112_051)
  assert.equal(reconcile(ours, theirs).rounds, 2)
})

test('E-111 V18: disjoint sets', () => {
  const found = reconcile(E(100), ItemVector.from(events(100, 200)))
  assert.equal(found.rounds, 2)
  assert.equal(found.have.length, 100)
  assert.equal(found.need.length, 100)
})

test('E-111 V19: versions and malformed input to a responder', () => {
  for (const version of ['60', '62', '61']) assert.equal(respond(E(3), version), '61')
  const broken = ['5f', '70', '', '6100', '610000', '61000003', '6100000220', '61000001aa', '6100210000']
  for (const hex of broken) assert.throws(() => respond(E(3), hex), fails('negentropy/malformed'), hex)
})

test('E-111 V20: an initiator has no other version to fall back to', () => {
  assert.throws(() => step(E(3), '62'), fails('negentropy/unsupported-version'))
})
