import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { realEvents } from '../../../test/helpers/real-events.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { NostrEvent } from './event.ts'
import { createSigner, generateSecretKey } from './signer.ts'
import { createInlineVerifier } from './verifier.inline.ts'
import { createWorkerVerifier, type WorkerVerifier } from './verifier.workers.ts'

type Signed = Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>

const real = realEvents.map((raw) => JSON.parse(raw) as NostrEvent)
const signers = Array.from({ length: 4 }, () => createSigner(generateSecretKey()))
const signed: readonly NostrEvent[] = signers.flatMap((signer) =>
  ['', 'a', 'é'].map((content) => signer.sign({ created_at: 1, kind: 1, tags: [], content })),
)

const p = 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f'
const n = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
/** x = 5 is on no point of secp256k1. */
const offCurve = '5'.padStart(64, '0')
const zero = '0'.repeat(64)
const flipBit = (hex: string, bit: number) => {
  const bytes = Buffer.from(hex, 'hex')
  bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes.toString('hex')
}
const negated = (s: string) => (BigInt(`0x${n}`) - BigInt(`0x${s}`)).toString(16).padStart(64, '0')

/** Ways to spoil a signed event; each must make its signature worthless. */
const mutations: Readonly<Record<string, (event: Signed, other: Signed, bit: number) => Signed>> = {
  'a bit of r': (e, _, bit) => ({ ...e, sig: flipBit(e.sig.slice(0, 64), bit) + e.sig.slice(64) }),
  'a bit of s': (e, _, bit) => ({ ...e, sig: e.sig.slice(0, 64) + flipBit(e.sig.slice(64), bit) }),
  'a bit of the id': (e, _, bit) => ({ ...e, id: flipBit(e.id, bit) }),
  'a bit of the public key': (e, _, bit) => ({ ...e, pubkey: flipBit(e.pubkey, bit) }),
  'the signature of another event': (e, other) => ({ ...e, sig: other.sig }),
  'the id of another event': (e, other) => ({ ...e, id: other.id }),
  'r and s swapped': (e) => ({ ...e, sig: e.sig.slice(64) + e.sig.slice(0, 64) }),
  's negated': (e) => ({ ...e, sig: e.sig.slice(0, 64) + negated(e.sig.slice(64)) }),
  'r = p': (e) => ({ ...e, sig: p + e.sig.slice(64) }),
  'r = 0': (e) => ({ ...e, sig: zero + e.sig.slice(64) }),
  'r beyond the curve': (e) => ({ ...e, sig: 'f'.repeat(64) + e.sig.slice(64) }),
  's = n': (e) => ({ ...e, sig: e.sig.slice(0, 64) + n }),
  's = 0': (e) => ({ ...e, sig: e.sig.slice(0, 64) + zero }),
  'a public key on no point': (e) => ({ ...e, pubkey: offCurve }),
  'public key 0': (e) => ({ ...e, pubkey: zero }),
  'public key p': (e) => ({ ...e, pubkey: p }),
  'everything zero': () => ({ id: zero, pubkey: zero, sig: zero + zero }),
  'a signature too short': (e) => ({ ...e, sig: e.sig.slice(2) }),
  'a signature too long': (e) => ({ ...e, sig: `${e.sig}00` }),
  'no hex': (e) => ({ ...e, sig: `zz${e.sig.slice(2)}` }),
  'an id that is no hex': (e) => ({ ...e, id: `${e.id.slice(1)}x` }),
  'an empty public key': (e) => ({ ...e, pubkey: '' }),
}

describe('worker verifier', () => {
  let verifier: WorkerVerifier
  before(() => {
    verifier = createWorkerVerifier({ workers: 1, batchSize: 32 })
  })
  after(() => verifier[Symbol.asyncDispose]())

  it('N1 finds all real events genuine, and none with a changed signature', async () => {
    assert.deepEqual(
      await verifier.verify(real),
      real.map(() => true),
    )
    const forged = real.map((event, i) => ({ ...event, sig: flipBit(event.sig, i % 512) }))
    assert.deepEqual(
      await verifier.verify(forged),
      real.map(() => false),
    )
  })

  it('P-SIG comes to the verdicts of the reference, in order, whatever stands beside', async () => {
    const reference = createInlineVerifier()
    const names = Object.keys(mutations)
    const input = fc.record({
      event: fc.nat(signed.length - 1),
      other: fc.integer({ min: 1, max: signed.length - 1 }),
      bit: fc.nat(255),
      mutation: fc.option(fc.constantFrom(...names), { freq: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(input, { minLength: 1, maxLength: 12 }), async (inputs) => {
        const events = inputs.map(({ event, other, bit, mutation }): Signed => {
          const genuine = signed[event]!
          const neighbour = signed[(event + other) % signed.length]!
          return mutation === null ? genuine : mutations[mutation]!(genuine, neighbour, bit)
        })
        const verdicts = await verifier.verify(events)
        assert.deepEqual(
          verdicts,
          inputs.map(({ mutation }) => mutation === null),
        )
        assert.deepEqual(verdicts, await reference.verify(events))
      }),
      { numRuns: 25 },
    )
  })

  for (const [name, mutate] of Object.entries(mutations))
    it(`P-SIG refuses ${name}, like the reference, and nothing beside it`, async () => {
      const [event, other] = [signed[0]!, signed[5]!]
      const events = [event, mutate(event, other, 77), other]
      assert.deepEqual(await verifier.verify(events), [true, false, true])
      assert.deepEqual(await createInlineVerifier().verify(events.slice(1, 2)), [false])
    })

  it('T-MAL-1 one thread stands thousands of public keys that are on no point', async () => {
    let started = 0
    await using single = createWorkerVerifier({
      workers: 1,
      startWorker: () => {
        started++
        return new Worker(new URL('./verifier-worker.ts', import.meta.url))
      },
    })
    const [event] = signed
    const flood = Array.from({ length: 8_000 }, () => ({ ...event!, pubkey: offCurve }))
    const verdicts = await single.verify([...flood, event!])
    assert.equal(verdicts.pop(), true)
    assert.ok(verdicts.every((verdict) => verdict === false))
    assert.equal(started, 1)
  })

  it('gives each of many concurrent callers its own verdicts', async () => {
    const calls = signed.map((event, i) =>
      i % 3 === 0 ? { ...event, sig: signed[(i + 1) % 12]!.sig } : event,
    )
    const verdicts = await Promise.all(calls.map((event) => verifier.verify([event])))
    assert.deepEqual(
      verdicts,
      calls.map((_, i) => [i % 3 !== 0]),
    )
    assert.deepEqual(await verifier.verify([]), [])
  })

  it('an aborted call rejects with its reason and leaves the others alone', async () => {
    const abort = new AbortController()
    const aborted = verifier.verify(real.slice(0, 40), abort.signal)
    const other = verifier.verify(signed)
    const reason = new Error('enough')
    abort.abort(reason)
    await assert.rejects(aborted, reason)
    await assert.rejects(verifier.verify(signed, abort.signal), reason)
    assert.deepEqual(
      await other,
      signed.map(() => true),
    )
    assert.equal(verifier.pending, 0)
  })
})

describe('bounds', () => {
  it('K7 takes in no more than its bound, and a long call does not keep out a short one', async () => {
    await using verifier = createWorkerVerifier({ workers: 1, maxPending: 64, batchSize: 16 })
    const cheap = { ...signed[0]!, sig: 'f'.repeat(128) }
    const finished: string[] = []
    const long = verifier.verify(new Array(3_000).fill(cheap)).then(() => finished.push('long'))
    const short = verifier.verify([signed[1]!]).then(() => finished.push('short'))
    let highest = 0
    while (finished.length < 2) {
      highest = Math.max(highest, verifier.pending)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all([long, short])
    assert.deepEqual(finished, ['short', 'long'])
    assert.ok(highest <= 64 + 16, `${highest} were pending`)
    assert.equal(verifier.pending, 0)
  })

  it('a call that was given up while it waited gives its place to the next', async () => {
    const busy = new URL('../../../test/helpers/lazy-worker.ts', import.meta.url)
    await using verifier = createWorkerVerifier({
      workers: 1,
      maxPending: 2,
      batchSize: 2,
      startWorker: () => new Worker(busy),
    })
    const first = verifier.verify(signed.slice(0, 2))
    first.catch(() => {})
    const abort = new AbortController()
    const waiting = verifier.verify(signed.slice(0, 4), abort.signal)
    abort.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    assert.equal(verifier.pending, 2)
  })
})

describe('failing threads', () => {
  const dying = new URL('../../../test/helpers/dying-worker.ts', import.meta.url)
  const genuine = new URL('./verifier-worker.ts', import.meta.url)

  /** A pool whose first threads die of their first batch. */
  function failing(deaths: number) {
    let started = 0
    return createWorkerVerifier({
      workers: 1,
      startWorker: () => new Worker(started++ < deaths ? dying : genuine),
    })
  }

  it('a thread that dies is replaced and its batch checked again', async () => {
    await using verifier = failing(1)
    const events = [...signed, { ...signed[0]!, sig: signed[1]!.sig }]
    assert.deepEqual(await verifier.verify(events), [...signed.map(() => true), false])
  })

  it('N1 a batch that kills two threads fails; it is never found genuine, and later ones are checked', async () => {
    await using verifier = failing(2)
    await assert.rejects(verifier.verify(signed), (error) => error instanceof SyncError && error.retryable)
    assert.equal(verifier.pending, 0)
    assert.deepEqual(
      await verifier.verify(signed),
      signed.map(() => true),
    )
  })

  it('threads that cannot even start make calls fail instead of starting for ever', async () => {
    let started = 0
    await using verifier = createWorkerVerifier({
      workers: 1,
      startWorker: () => {
        started++
        return new Worker(new URL('./no-such-file.ts', import.meta.url))
      },
    })
    await assert.rejects(verifier.verify(signed), SyncError)
    assert.ok(started <= 3, `${started} threads were started`)
  })
})

describe('disposal', () => {
  it('fails what is pending and what comes later, and may be repeated', async () => {
    const verifier = createWorkerVerifier({ workers: 1, maxPending: 16, batchSize: 16 })
    const running = verifier.verify(real)
    const settled = assert.rejects(running, /disposed/)
    await Promise.all([verifier[Symbol.asyncDispose](), verifier[Symbol.asyncDispose]()])
    await settled
    await assert.rejects(verifier.verify(signed), /disposed/)
    await verifier[Symbol.asyncDispose]()
  })
})
