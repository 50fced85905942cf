import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import {
  encodeHex,
  fingerprintOf,
  Initiator,
  ItemVector,
  type Key,
  Responder,
} from '../../src/negentropy/index.ts'

/** Item k, from ≤ k < to: timestamp = start + step · k, id = SHA-256 of the text `<prefix><k>`. */
export interface SetRule {
  readonly prefix: string
  readonly start: number
  readonly step: number
  readonly from: number
  readonly to: number
  /** These k are left out. */
  readonly without?: readonly number[]
  /** Every k that this divides is left out. */
  readonly withoutMultiplesOf?: number
}

/** A message in full, or only its length and the SHA-256 of its lowercase hex text when it is long. */
export type VectorMessage = { readonly hex: string } | { readonly bytes: number; readonly sha256: string }

export interface FingerprintVector {
  readonly name: string
  readonly set: SetRule
  readonly fingerprint: string
}

export interface SessionVector {
  readonly name: string
  readonly initiator: SetRule
  readonly responder: SetRule
  /** Bytes of one message; 0: no limit. */
  readonly initiatorLimit: number
  readonly responderLimit: number
  /** In turns, the initiator's first. */
  readonly messages: readonly VectorMessage[]
  /** How many ids only the initiator, and only the responder, holds; and the SHA-256 of those ids, sorted, as one text. */
  readonly have: { readonly count: number; readonly sha256: string }
  readonly need: { readonly count: number; readonly sha256: string }
}

export interface ErrorVector {
  readonly name: string
  readonly hex: string
}

export interface VectorFile {
  readonly protocol: string
  readonly fingerprints: readonly FingerprintVector[]
  readonly sessions: readonly SessionVector[]
  /** What a responder that holds `set` must refuse. */
  readonly malformed: { readonly set: SetRule; readonly messages: readonly ErrorVector[] }
  /** Version bytes a responder answers with the single byte 61. */
  readonly otherVersions: readonly string[]
}

/** Longer messages are given by digest. */
const longMessage = 1200

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export function keysOf({ prefix, start, step, from, to, without = [], withoutMultiplesOf }: SetRule): Key[] {
  const left = new Set(without)
  return Array.from({ length: to - from }, (_, i) => from + i)
    .filter((k) => !left.has(k) && (withoutMultiplesOf === undefined || k % withoutMultiplesOf !== 0))
    .map((k) => ({ timestamp: start + step * k, id: sha256(`${prefix}${k}`) }))
}

export function messageVector(message: Uint8Array): VectorMessage {
  const hex = encodeHex(message)
  return message.length > longMessage ? { bytes: message.length, sha256: sha256(hex) } : { hex }
}

export function idsVector(ids: readonly string[]): { count: number; sha256: string } {
  return { count: ids.length, sha256: sha256([...ids].sort().join('')) }
}

const events = (to: number, more: Partial<SetRule> = {}): SetRule => ({
  prefix: 'event',
  start: 1_700_000_000,
  step: 1,
  from: 0,
  to,
  ...more,
})

function session(
  name: string,
  initiator: SetRule,
  responder: SetRule,
  limits: readonly [number, number] = [0, 0],
): SessionVector {
  const [initiatorLimit, responderLimit] = limits
  const asking = new Initiator(ItemVector.from(keysOf(initiator)), { frameLimit: initiatorLimit })
  const answering = new Responder(ItemVector.from(keysOf(responder)), { frameLimit: responderLimit })
  const messages: VectorMessage[] = []
  const have: string[] = []
  const need: string[] = []
  for (let message: Uint8Array | undefined = asking.initiate(); message !== undefined; ) {
    const answer: Uint8Array = answering.step(message).reply
    messages.push(messageVector(message), messageVector(answer))
    const step = asking.step(answer)
    have.push(...step.have)
    need.push(...step.need)
    message = step.reply
  }
  return {
    name,
    initiator,
    responder,
    initiatorLimit,
    responderLimit,
    messages,
    have: idsVector(have),
    need: idsVector(need),
  }
}

function sessions(): SessionVector[] {
  const same = (to: number, more: Partial<SetRule> = {}) => events(to, { prefix: 'same', step: 0, ...more })
  const late = (more: Partial<SetRule> = {}) => events(40, { start: 2 ** 31 - 20, ...more })
  const last = (more: Partial<SetRule> = {}) => events(40, { start: 2 ** 53 - 1, step: -1, ...more })
  const first = (more: Partial<SetRule> = {}) => events(40, { start: 0, step: 1, ...more })
  return [
    session('both empty', events(0), events(0)),
    session('empty initiator, one item', events(0), events(1)),
    session('one item, empty responder', events(1), events(0)),
    session('31 items are listed', events(31), events(31)),
    session('32 items are divided', events(32), events(31)),
    session('33 items: the first bucket is larger', events(33), events(33)),
    session('200 equal items', events(200), events(200)),
    session('the responder lacks two of 200', events(200), events(200, { without: [5, 140] })),
    session('the initiator lacks two of 200', events(200, { without: [5, 140] }), events(200)),
    session('disjoint', events(100), events(200, { from: 100 })),
    session('all timestamps equal: bounds carry prefixes', same(40), same(40, { without: [7] })),
    session('all timestamps equal, many items', same(600), same(600, { without: [100, 101, 400] })),
    session('timestamps on both sides of 2^31', late(), late({ without: [17, 30] })),
    session('timestamps up to 2^53 − 1', last(), last({ without: [3] })),
    session('timestamps from 0 on', first(), first({ without: [0, 39] })),
    session('2 rounds', events(2000), events(2000, { without: [777] })),
    session('the answer is cut at 4096 bytes', events(0), events(300), [4096, 4096]),
    session('20,000 items into an empty set at 4096 bytes', events(0), events(20_000), [4096, 4096]),
    session(
      'spread differences under common limits',
      events(20_000, { withoutMultiplesOf: 100 }),
      events(20_000, { withoutMultiplesOf: 77 }),
      [60_000, 500_000],
    ),
    session('20,000 items in one message', events(0), events(20_000)),
  ]
}

const malformedMessages: readonly ErrorVector[] = [
  { name: 'empty', hex: '' },
  { name: 'version byte too low', hex: '5f' },
  { name: 'version byte too high', hex: '70' },
  { name: 'bound ends after the timestamp', hex: '6100' },
  { name: 'no mode', hex: '610000' },
  { name: 'unknown mode', hex: '61000003' },
  { name: 'list shorter than its count', hex: '6100000220' },
  { name: 'count beyond 2^53', hex: '610000028180808080808080808000' },
  { name: 'fingerprint cut short', hex: '61000001aa' },
  { name: 'prefix of 33 bytes', hex: `610121${'00'.repeat(33)}00` },
  { name: 'prefix longer than the message', hex: '610103aaaa' },
  { name: 'number with a leading zero group', hex: '6180010000' },
  { name: 'number above 2^64 − 1', hex: '6183808080808080808080000000' },
  { name: 'number of eleven bytes', hex: `61${'81'.repeat(10)}010000` },
  { name: 'descending bounds', hex: '610602aaff000102aafe00' },
  { name: 'a list behind infinity', hex: '6100000000000200' },
]

/** Everything in the file, computed anew. */
export function generate(): VectorFile {
  const fingerprint = (name: string, set: SetRule): FingerprintVector => ({
    name,
    set,
    fingerprint: fingerprintOf(ItemVector.from(keysOf(set))),
  })
  return {
    protocol: 'negentropy version 1 (0x61): 16 buckets, lists below 32 items',
    fingerprints: [
      fingerprint('empty', events(0)),
      fingerprint('one', events(1)),
      fingerprint('three', events(3)),
      fingerprint('the count takes two bytes', events(200)),
      fingerprint('the sum exceeds 2^256 many times', events(20_000)),
    ],
    sessions: sessions(),
    malformed: { set: events(3), messages: malformedMessages },
    otherVersions: ['60', '62', '6f'],
  }
}

if (import.meta.main)
  writeFileSync(new URL('negentropy.json', import.meta.url), `${JSON.stringify(generate(), null, 2)}\n`)
