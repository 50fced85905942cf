import { setTimeout as sleep } from 'node:timers/promises'
import { nip77 } from 'nostr-tools'
import {
  adaptiveTuning,
  decodeHex,
  encodeHex,
  FingerprintIndex,
  Initiator,
  type ItemColumns,
  LeafBuilder,
  type LoadItems,
  type OrderedSet,
  Responder,
} from '../../src/negentropy/index.ts'
import { type ReferenceItem, ReferenceResponder } from './reference-responder.ts'

const items = 1_000_000
const differences = [0, 10, 1000]
/** Odd, so that the median is one of the runs. */
const pairs = 7
/** Runs of ours before the first pair: leaves loaded, code compiled. The reference compiles within its first run. */
const warmUps = 50
const leafItems = 4096
const idSize = 32

interface Measured {
  readonly cpuMs: number
  readonly bytesUp: number
  readonly bytesDown: number
  readonly rounds: number
  readonly have: number
  readonly need: number
}

interface Sides {
  readonly initiator: ItemColumns
  readonly responder: ItemColumns
}

/**
 * Reconciles a million items with d differences, spread evenly, half of them missing on either side: the reference
 * algorithm (nostr-tools as initiator against a scanning responder) and ours (fingerprint indexes with adaptive
 * tuning), in turns. CPU of both roles together, message hex included on both sides; building is reported apart.
 *
 * @returns one entry per d, and `build`
 */
export async function run(): Promise<Record<string, unknown>> {
  const all = corpus(items)
  const results: Record<string, unknown> = {
    items,
    pairs,
    corpus: 'seeded xorshift ids, one item per second',
  }
  for (const d of differences) results[`d=${d}`] = await compare(sidesOf(all, d), d)
  return results
}

async function compare(sides: Sides, d: number): Promise<Record<string, unknown>> {
  const built = { reference: 0, ours: 0 }
  const reference = timed(
    () => ({
      initiator: vectorOf(sides.initiator),
      responder: new ReferenceResponder(itemsOf(sides.responder)),
    }),
    (ms) => (built.reference = ms),
  )
  const ours = timed(
    () => ({ initiator: indexOf(sides.initiator), responder: indexOf(sides.responder) }),
    (ms) => (built.ours = ms),
  )
  const theirRuns: Measured[] = []
  const ourRuns: Measured[] = []
  const cold = runOurs(ours.initiator, ours.responder)
  for (let run = 1; run < warmUps; run++) runOurs(ours.initiator, ours.responder)
  for (let pair = 0; pair < pairs; pair++) {
    await settle()
    theirRuns.push(runReference(reference.initiator, reference.responder))
    await settle()
    ourRuns.push(runOurs(ours.initiator, ours.responder))
  }
  for (const { have, need } of [...theirRuns, ...ourRuns])
    if (have + need !== d) throw new Error(`found ${have} + ${need} differences instead of ${d}`)
  const theirs = medianOf(theirRuns)
  const own = medianOf(ourRuns)
  return {
    reference: theirs,
    ours: own,
    cpuRatio: theirs.cpuMs / own.cpuMs,
    cpuRatioOfPairs: theirRuns.map(({ cpuMs }, i) => cpuMs / ourRuns[i]!.cpuMs),
    bytesRatio: (own.bytesUp + own.bytesDown) / (theirs.bytesUp + theirs.bytesDown),
    oursColdCpuMs: cold.cpuMs,
    buildCpuMs: built,
  }
}

/** Lets the collector's threads finish with the garbage of the run before, which would count for the next one. */
function settle(): Promise<void> {
  return sleep(200)
}

function timed<T>(work: () => T, report: (cpuMs: number) => void): T {
  const before = process.cpuUsage()
  const result = work()
  report(cpuSince(before))
  return result
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function runReference(storage: nip77.NegentropyStorageVector, responder: ReferenceResponder): Measured {
  const before = process.cpuUsage()
  const initiator = new nip77.Negentropy(storage, Number.MAX_SAFE_INTEGER)
  const have = new Set<string>()
  const need = new Set<string>()
  let [bytesUp, bytesDown, rounds] = [0, 0, 0]
  for (let hex: string | null = initiator.initiate(); hex !== null; ) {
    const query = decodeHex(hex)
    const answer = responder.reply(query)
    bytesUp += query.length
    bytesDown += answer.length
    rounds++
    hex = initiator.reconcile(
      encodeHex(answer),
      (id) => have.add(id),
      (id) => need.add(id),
    )
  }
  return { cpuMs: cpuSince(before), bytesUp, bytesDown, rounds, have: have.size, need: need.size }
}

function runOurs(ours: FingerprintIndex, theirs: FingerprintIndex): Measured {
  const before = process.cpuUsage()
  using mine = ours.snapshot()
  using yours = theirs.snapshot()
  const found = reconcile(mine, yours)
  return { cpuMs: cpuSince(before), ...found }
}

/** Through hex and back, as the reference's own interface demands and NIP-77 frames do. */
function reconcile(mine: OrderedSet, yours: OrderedSet): Omit<Measured, 'cpuMs'> {
  const initiator = new Initiator(mine, { tuning: adaptiveTuning, frameLimit: 0 })
  const responder = new Responder(yours, { tuning: adaptiveTuning, frameLimit: 0 })
  let [bytesUp, bytesDown, have, need] = [0, 0, 0, 0]
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
    const query = decodeHex(encodeHex(message))
    const answer = decodeHex(encodeHex(responder.step(query).reply))
    bytesUp += query.length
    bytesDown += answer.length
    const step = initiator.step(answer)
    have += step.have.length
    need += step.need.length
    message = step.reply
  }
  return { bytesUp, bytesDown, rounds: initiator.rounds, have, need }
}

/** Items about a second apart, ids from a seeded generator: the same on every machine. */
function corpus(count: number): ItemColumns {
  const timestamps = new Float64Array(count)
  const words = new Uint32Array(count * (idSize / 4))
  let state = 0x9e3779b9
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  for (let i = 0; i < count; i++) timestamps[i] = 1_600_000_000 + i
  return { timestamps, ids: new Uint8Array(words.buffer) }
}

/** Every (count / d)-th item is missing, on one side and the other in turns. */
function sidesOf(all: ItemColumns, d: number): Sides {
  const count = all.timestamps.length
  const missing = new Int8Array(count)
  for (let k = 0; k < d; k++) missing[Math.floor(((k + 0.5) * count) / d)] = k % 2 === 0 ? 1 : 2
  return { initiator: without(all, missing, 1), responder: without(all, missing, 2) }
}

function without(all: ItemColumns, missing: Int8Array, side: number): ItemColumns {
  const kept = Uint32Array.from(all.timestamps.keys()).filter((i) => missing[i] !== side)
  const timestamps = Float64Array.from(kept, (i) => all.timestamps[i]!)
  const ids = new Uint8Array(kept.length * idSize)
  for (const [k, i] of kept.entries()) ids.set(all.ids.subarray(i * idSize, (i + 1) * idSize), k * idSize)
  return { timestamps, ids }
}

function itemsOf({ timestamps, ids }: ItemColumns): ReferenceItem[] {
  return Array.from(timestamps, (timestamp, i) => ({
    timestamp,
    id: ids.slice(i * idSize, (i + 1) * idSize),
  }))
}

function vectorOf(columns: ItemColumns): nip77.NegentropyStorageVector {
  const storage = new nip77.NegentropyStorageVector()
  for (const { timestamp, id } of itemsOf(columns)) storage.insert(timestamp, encodeHex(id))
  storage.seal()
  return storage
}

function indexOf(columns: ItemColumns): FingerprintIndex {
  const builder = new LeafBuilder()
  const { timestamps, ids } = columns
  for (let from = 0; from < timestamps.length; from += leafItems)
    builder.add({
      timestamps: timestamps.subarray(from, from + leafItems),
      ids: ids.subarray(from * idSize, (from + leafItems) * idSize),
    })
  return new FingerprintIndex({
    leaves: builder.finish(),
    load: loaderOf(columns),
    cacheBytes: 256 * 1024 * 1024,
  })
}

/** Rows in memory; timestamps are distinct in this corpus, so they alone find a key. */
function loaderOf({ timestamps, ids }: ItemColumns): LoadItems {
  const find = (timestamp: number) => {
    let low = 0
    let high = timestamps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (timestamps[middle]! < timestamp) low = middle + 1
      else high = middle
    }
    return low
  }
  return (first, next) => {
    const from = find(first.timestamp)
    const to = next === undefined ? timestamps.length : find(next.timestamp)
    return { timestamps: timestamps.slice(from, to), ids: ids.slice(from * idSize, to * idSize) }
  }
}

function medianOf(runs: readonly Measured[]): Measured {
  return [...runs].sort((a, b) => a.cpuMs - b.cpuMs)[Math.floor(runs.length / 2)]!
}
