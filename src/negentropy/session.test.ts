import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { nip77 } from 'nostr-tools'
import { startBound } from './bound.ts'
import { decodeHex, encodeHex } from './id.ts'
import { Initiator, type InitiatorOptions } from './initiator.ts'
import { ItemVector } from './item-vector.ts'
import type { Key } from './key.ts'
import { MessageReader } from './message-reader.ts'
import { MessageWriter, mode } from './message-writer.ts'
import { NegentropyError, type NegentropyErrorCode } from './negentropy-error.ts'
import { Responder } from './responder.ts'
import type { SessionOptions } from './session-options.ts'
import { adaptiveTuning, referenceTuning, type Tuning } from './tuning.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const idOf = (k: number) => sha256(`item${k}`)
const fails =
  (...codes: NegentropyErrorCode[]) =>
  (error: unknown) =>
    error instanceof NegentropyError && codes.includes(error.code)

const ids = Array.from({ length: 4000 }, (_, k) => idOf(k))

/** How the timestamps of a generated set are spread. */
const spreads: Readonly<Record<string, (k: number) => number>> = {
  uniform: (k) => 1_600_000_000 + k * 61,
  clustered: (k) => 1_600_000_000 + Math.floor(k / 97) * 86_400 + (k % 7),
  equal: () => 1_700_000_000,
  boundary: (k) => [0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1][k % 9]!,
  future: (k) => 2 ** 31 + k,
}

interface Pair {
  readonly ours: Key[]
  readonly theirs: Key[]
}

/** Two sets over one pool; each item is in both, or with the given odds on one side only, or in neither. */
const pairArbitrary = (maxSize: number): fc.Arbitrary<Pair> =>
  fc
    .record({
      size: fc.oneof(fc.nat({ max: 80 }), fc.nat({ max: maxSize })),
      spread: fc.constantFrom(...Object.keys(spreads)),
      seed: fc.nat(),
      odds: fc.constantFrom(0, 0.002, 0.03, 0.4, 1),
    })
    .map(({ size, spread, seed, odds }) => {
      const random = generator(seed)
      const pool = Array.from({ length: size }, (_, k) => ({ timestamp: spreads[spread]!(k), id: ids[k]! }))
      const fate = pool.map(() => (random() >= odds ? 3 : Math.floor(random() * 3)))
      return {
        ours: pool.filter((_, k) => (fate[k]! & 1) !== 0),
        theirs: pool.filter((_, k) => (fate[k]! & 2) !== 0),
      }
    })

function generator(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

interface Result {
  readonly have: string[]
  readonly need: string[]
  readonly rounds: number
}

function reconcile(pair: Pair, ours: InitiatorOptions, theirs: SessionOptions): Result {
  const initiator = new Initiator(ItemVector.from(pair.ours), ours)
  const responder = new Responder(ItemVector.from(pair.theirs), theirs)
  const have: string[] = []
  const need: string[] = []
  const fits = (message: Uint8Array, limit = 0) => assert.ok(limit === 0 || message.length <= limit)
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
    fits(message, ours.frameLimit)
    const answer: Uint8Array = responder.step(message).reply
    fits(answer, theirs.frameLimit)
    const step = initiator.step(answer)
    have.push(...step.have)
    need.push(...step.need)
    message = step.reply
  }
  return { have, need, rounds: initiator.rounds }
}

/** Exactly the differences, each once. */
function assertFound(pair: Pair, { have, need }: { have: readonly string[]; need: readonly string[] }): void {
  const ours = new Set(pair.ours.map(({ id }) => id))
  const theirs = new Set(pair.theirs.map(({ id }) => id))
  assert.deepEqual([...have].sort(), [...ours].filter((id) => !theirs.has(id)).sort())
  assert.deepEqual([...need].sort(), [...theirs].filter((id) => !ours.has(id)).sort())
}

/** A range of n items divided by f until l are left, l and f being anything a peer may use. */
const tuningArbitrary: fc.Arbitrary<Tuning> = fc.oneof(
  fc.constantFrom(referenceTuning, adaptiveTuning),
  fc
    .record({ fanOut: fc.integer({ min: 2, max: 70 }), leaf: fc.integer({ min: 1, max: 200 }) })
    .map(({ fanOut, leaf }) => ({ buckets: (count: number) => (count < leaf ? 0 : fanOut) })),
)
const limitArbitrary = fc.oneof(fc.constantFrom(0, 1300, 4096, 60_000), fc.integer({ min: 1300, max: 6000 }))

test('P-NEG-1 have and need are exactly A∖B and B∖A, each id once', () => {
  fc.assert(
    fc.property(pairArbitrary(4000), fc.constantFrom(referenceTuning, adaptiveTuning), (pair, tuning) => {
      const result = reconcile(pair, { tuning }, { tuning })
      assertFound(pair, result)
      assert.ok(result.rounds <= 4)
    }),
    { numRuns: 150 },
  )
})

test('P-NEG-3 E-113 E-114 ends for every pair of frame limits and tunings, in messages within their limits', () => {
  const side = fc.record({
    tuning: tuningArbitrary,
    frameLimit: limitArbitrary,
    randomBounds: fc.boolean(),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(pairArbitrary(3000), side, side, (pair, ours, theirs) => {
      const result = reconcile(
        pair,
        { ...ours, random: generator(ours.seed) },
        { ...theirs, random: generator(theirs.seed) },
      )
      assertFound(pair, result)
      const items = pair.ours.length + pair.theirs.length
      assert.ok(result.rounds <= 20 + items / 4, `${result.rounds} rounds for ${items} items`)
    }),
    { numRuns: 250 },
  )
})

test('E-115 equal sets end in one round, whatever the tunings', () => {
  fc.assert(
    fc.property(fc.nat({ max: 500 }), tuningArbitrary, tuningArbitrary, (size, ours, theirs) => {
      const set = ids.slice(0, size).map((id, k) => ({ timestamp: k, id }))
      const pair = { ours: set, theirs: set }
      const result = reconcile(pair, { tuning: ours }, { tuning: theirs })
      assert.deepEqual(result, { have: [], need: [], rounds: 1 })
    }),
    { numRuns: 30 },
  )
})

test('E-116 works against a responder that splits in two, and one that lists everything', () => {
  const halves: Tuning = { buckets: (count) => (count <= 32 ? 0 : 2) }
  const lists: Tuning = { buckets: () => 0 }
  fc.assert(
    fc.property(pairArbitrary(3000), fc.constantFrom(halves, lists), (pair, tuning) => {
      assertFound(pair, reconcile(pair, {}, { tuning }))
    }),
    { numRuns: 40 },
  )
})

test('adaptive tuning takes no more rounds than the reference, and fewer bytes for few differences in many items', () => {
  const cost = (pair: Pair, tuning: Tuning) => {
    const initiator = new Initiator(ItemVector.from(pair.ours), { tuning })
    const responder = new Responder(ItemVector.from(pair.theirs), { tuning })
    let bytes = 0
    for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
      const answer: Uint8Array = responder.step(message).reply
      bytes += message.length + answer.length
      message = initiator.step(answer).reply
    }
    return { bytes, rounds: initiator.rounds }
  }
  for (const [size, ratio] of [
    [400, 1],
    [1000, 0.9],
    [4000, 0.7],
  ] as const) {
    const all = ids.slice(0, size).map((id, k) => ({ timestamp: 1_600_000_000 + k, id }))
    const pair = { ours: all, theirs: all.filter((_, k) => k % (size / 4) !== 7) }
    const reference = cost(pair, referenceTuning)
    const adaptive = cost(pair, adaptiveTuning)
    assert.ok(adaptive.rounds <= reference.rounds)
    assert.ok(adaptive.bytes <= ratio * reference.bytes, `${adaptive.bytes} of ${reference.bytes} at ${size}`)
  }
})

test('timestamps from 2^31 up to 2^53−1 reconcile in the usual one round', () => {
  for (const start of [2 ** 31, 2 ** 32 - 20, 2 ** 40, 2 ** 53 - 40]) {
    const all = ids.slice(0, 40).map((id, k) => ({ timestamp: start + k, id }))
    const pair = { ours: all, theirs: all.filter((_, k) => k !== 17) }
    const result = reconcile(pair, {}, {})
    assert.equal(result.rounds, 1)
    assertFound(pair, result)
  }
})

test('bounds at timestamps no item of ours can have come back unchanged', () => {
  const writer = new MessageWriter()
  writer.begin()
  const prefix = new Uint8Array(32).fill(9)
  const far = 2n ** 60n + 5n
  writer.headerOf(far, prefix, 0, 2, mode.skip)
  writer.headerOf(far + 1n, prefix, 0, 0, mode.idList)
  writer.varint(0)
  const responder = new Responder(ItemVector.from([{ timestamp: 5, id: ids[0]! }]))
  const reader = new MessageReader()
  reader.open(responder.step(writer.take()).reply)
  const bound = startBound()
  reader.readBound(bound)
  assert.equal(bound.timestamp, far)
  assert.deepEqual([...bound.prefix.subarray(0, 3)], [9, 9, 0])
  assert.equal(reader.readVarint(), mode.skip)
  reader.readBound(bound)
  assert.equal(bound.timestamp, far + 1n)
})

test('random bounds differ from session to session and find the same', () => {
  const all = ids.slice(0, 1000).map((id, k) => ({ timestamp: k, id }))
  const first = (seed: number) =>
    encodeHex(new Initiator(ItemVector.from(all), { randomBounds: true, random: generator(seed) }).initiate())
  assert.equal(first(1), first(1))
  assert.notEqual(first(1), first(2))
})

/** Every message of an honest session, for mutation: [to the responder, to the initiator]. */
function transcript(pair: Pair): { role: 'initiator' | 'responder'; message: Uint8Array; turn: number }[] {
  const initiator = new Initiator(ItemVector.from(pair.ours))
  const responder = new Responder(ItemVector.from(pair.theirs))
  const seen: { role: 'initiator' | 'responder'; message: Uint8Array; turn: number }[] = []
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
    seen.push({ role: 'responder', message, turn: seen.length })
    const answer: Uint8Array = responder.step(message).reply
    seen.push({ role: 'initiator', message: answer, turn: seen.length })
    message = initiator.step(answer).reply
  }
  return seen
}

const mutationArbitrary = fc.array(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), how: fc.nat({ max: 3 }), byte: fc.nat(255) }),
  { minLength: 1, maxLength: 4 },
)

function mutate(
  message: Uint8Array,
  { at, how, byte }: { at: number; how: number; byte: number },
): Uint8Array {
  const offset = Math.floor(at * message.length)
  const bytes = [...message]
  if (how === 0) bytes[offset] = byte
  else if (how === 1) bytes.splice(offset, 1)
  else if (how === 2) bytes.splice(offset, 0, byte)
  else bytes.length = offset
  return Uint8Array.from(bytes)
}

test('P-NEG-2 E-118 a mutated message is answered or fails with a typed error, and never hangs', () => {
  fc.assert(
    fc.property(pairArbitrary(400), fc.nat(), mutationArbitrary, (pair, pick, mutations) => {
      const messages = transcript(pair)
      const { role, message } = messages[pick % messages.length]!
      const mutated = mutations.reduce(mutate, message)
      const expected = fails('negentropy/malformed', 'negentropy/unsupported-version')
      try {
        if (role === 'responder') new Responder(ItemVector.from(pair.theirs)).step(mutated)
        else {
          const initiator = new Initiator(ItemVector.from(pair.ours))
          initiator.initiate()
          initiator.step(mutated)
        }
      } catch (error) {
        assert.ok(expected(error), String(error))
      }
    }),
    { numRuns: 1500 },
  )
})

test('P-NEG-2 random bytes are answered or fail with a typed error', () => {
  const set = ItemVector.from(ids.slice(0, 100).map((id, k) => ({ timestamp: k, id })))
  const small = fc.constantFrom(0, 1, 2, 3, 0x20, 0x7f, 0x80, 0x81, 0xff)
  fc.assert(
    fc.property(fc.array(fc.oneof(small, fc.nat(255)), { maxLength: 60 }), (bytes) => {
      try {
        new Responder(set).step(Uint8Array.from([0x61, ...bytes]))
      } catch (error) {
        assert.ok(fails('negentropy/malformed')(error), String(error))
      }
    }),
    { numRuns: 3000 },
  )
})

test('a list up to infinity that just fills its message has nothing behind it', () => {
  const set = ItemVector.from(ids.slice(0, 35).map((id, k) => ({ timestamp: k, id })))
  const answer = new Responder(set, { frameLimit: 1300 }).step(decodeHex('6100000200')).reply
  assert.equal(encodeHex(answer).slice(0, 10), '6100000223')
  assert.equal(answer.length, 5 + 35 * 32)
})

test('the fingerprint of nothing that the reference sends behind such a list is understood', () => {
  const initiator = new Initiator(ItemVector.from([]))
  initiator.initiate()
  const hex = `6100000201${ids[0]}0000017f9c9e31ac8256ca2f258583df262dbc`
  assert.deepEqual(initiator.step(decodeHex(hex)), { reply: undefined, have: [], need: [ids[0]] })
})

test('nostr-tools as initiator finds every difference against our responder', () => {
  fc.assert(
    fc.property(
      pairArbitrary(2000).filter(({ ours }) => ours.every(({ timestamp }) => timestamp < 2 ** 31)),
      tuningArbitrary,
      fc.constantFrom(0, 4096, 60_000),
      (generated, tuning, frameLimit) => {
        const pair = { ...generated, theirs: generated.theirs.filter(({ timestamp }) => timestamp < 2 ** 31) }
        const storage = new nip77.NegentropyStorageVector()
        for (const { timestamp, id } of pair.ours) storage.insert(timestamp, id)
        storage.seal()
        const initiator = new nip77.Negentropy(storage, frameLimit || Number.MAX_SAFE_INTEGER)
        const responder = new Responder(ItemVector.from(pair.theirs), { tuning, frameLimit })
        const have = new Set<string>()
        const need = new Set<string>()
        for (let hex: string | null = initiator.initiate(); hex !== null; ) {
          const answer = responder.step(decodeHex(hex)).reply
          hex = initiator.reconcile(
            encodeHex(answer),
            (id) => have.add(id),
            (id) => need.add(id),
          )
        }
        assertFound(pair, { have: [...have], need: [...need] })
      },
    ),
    { numRuns: 60 },
  )
})
