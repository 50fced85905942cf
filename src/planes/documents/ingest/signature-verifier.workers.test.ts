import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { makeEntry, makeRoot } from '../../../../test/helpers/entry-maker.ts'
import type { SealedEntry } from '../entry/entry.ts'
import { sealEntry } from '../entry/entry-encoder.ts'
import { KeyPair, type PublicKey } from '../entry/key-pair.ts'
import { type Claim, createInlineSignatureVerifier } from './signature-verifier.ts'
import { createWorkerSignatureVerifier } from './signature-verifier.workers.ts'
import type { SignatureRequest } from './signature-worker.ts'

const [alice, bob] = [
  KeyPair.fromSeed(new Uint8Array(32).fill(1)),
  KeyPair.fromSeed(new Uint8Array(32).fill(2)),
]
const root = makeRoot(1)

function signedBy(key: KeyPair, n: number): SealedEntry {
  return makeEntry([root], [{ name: 's', data: 'x'.repeat(n * 7) }], { key })
}

function withSignature(sealed: SealedEntry, signature: string | undefined): SealedEntry {
  return { ...sealed, entry: { ...sealed.entry, sig: { ...sealed.entry.sig, signature } } }
}

it('P-SIG worker threads come to the verdicts of this one, in order, whatever stands beside', async () => {
  const claims: Claim[] = []
  const expected: boolean[] = []
  const add = (pubkey: PublicKey, sealed: SealedEntry, genuine: boolean) => {
    claims.push({ pubkey, sealed })
    expected.push(genuine)
  }
  for (let i = 0; i < 40; i++) {
    const sealed = signedBy(i % 2 ? alice : bob, i)
    const { signature } = sealed.entry.sig
    add((i % 2 ? alice : bob).publicKey, sealed, true)
    add((i % 2 ? bob : alice).publicKey, sealed, false)
    add(alice.publicKey, withSignature(sealed, undefined), false)
    add(alice.publicKey, withSignature(sealed, 'AAAA'), false)
    add(alice.publicKey, withSignature(sealed, signature!.replace(/=+$/, '')), false)
    add(alice.publicKey, { ...sealed, signingBytes: sealed.signingBytes.subarray(1) }, false)
  }
  // A key that is on no point of the curve, and one of small order.
  const zero = `ed25519:${Buffer.alloc(32).toString('base64')}` as PublicKey
  add(zero, withSignature(signedBy(alice, 1), Buffer.alloc(64).toString('base64')), false)
  add(`ed25519:${Buffer.alloc(32, 0xff).toString('base64')}` as PublicKey, signedBy(alice, 1), false)
  // The neutral point as key and as R fits any message by the bare equation; not every library refuses it by itself.
  const neutral = Buffer.alloc(32)
  neutral[0] = 1
  const universal = Buffer.concat([neutral, Buffer.alloc(32)]).toString('base64')
  for (const sign of [0, 0x80]) {
    neutral[31] = sign
    const pubkey = `ed25519:${neutral.toString('base64')}` as PublicKey
    add(pubkey, withSignature(signedBy(alice, 1), universal), false)
  }
  await using workers = createWorkerSignatureVerifier({ workers: 1, batchSize: 16 })
  await using inline = createInlineSignatureVerifier()
  assert.deepEqual(await workers.verify(claims), expected)
  assert.deepEqual(await inline.verify(claims), expected)
  assert.deepEqual(await workers.verify([]), [])
})

it('few signatures that come alone are dealt out to idle threads, each once; two are not', async () => {
  const given: number[] = []
  const startWorker = () => {
    const worker = new Worker(new URL('./signature-worker.ts', import.meta.url))
    const post = worker.postMessage.bind(worker)
    worker.postMessage = (message: SignatureRequest, transfer) => {
      given.push(message.count)
      post(message, transfer)
    }
    return worker
  }
  await using workers = createWorkerSignatureVerifier({ workers: 3, startWorker })
  for (const [count, shares] of [
    [2, [2]],
    [10, [5, 5]],
    [13, [5, 5, 3]],
    [25, [9, 9, 7]],
  ] as const) {
    given.length = 0
    const claims = Array.from({ length: count }, (_, i): Claim => {
      return { pubkey: (i === 1 ? bob : alice).publicKey, sealed: signedBy(alice, i) }
    })
    const verdicts = await workers.verify(claims)
    assert.deepEqual(
      verdicts,
      claims.map((_, i) => i !== 1),
    )
    assert.deepEqual(given, shares)
  }
})

it('an aborted check rejects with its reason', async () => {
  await using workers = createWorkerSignatureVerifier({ workers: 1 })
  const reason = new Error('enough')
  const sealed = sealEntry(signedBy(alice, 1).entry)
  await assert.rejects(
    workers.verify([{ pubkey: alice.publicKey, sealed }], AbortSignal.abort(reason)),
    reason,
  )
})
