import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../harness/child.ts'
import type { AutomergeAnswer, AutomergeCommand } from './automerge-process.ts'
import { corpusFile } from './corpus.ts'
import { type Answer, type Peer, startPeer } from './peer.ts'

const entries = Number(process.env.SYNCLINE_TEST_BENCH_ENTRIES ?? 100_000)
/** Odd, so that the median is one of the runs. */
const loads = 3
const pairs = 11
/** Exchanges before the first pair: code compiled, on both sides. */
const warmUps = 5
/** New entries on each side of a delta. */
const fresh = 10
const forgeries = 500

type Automerge = Child<AutomergeCommand, AutomergeAnswer>

/**
 * A database of signed entries that is synced over HTTP between two processes, each on its own SQLite, and the same history
 * in Automerge, in one process, in memory, unsigned. Figures of the two are from alternating runs.
 *
 * - `load`  into an empty peer, every entry verified and durable; the peer is killed afterwards, and all must be there
 * - `delta` both sides have written some entries since they were equal
 * - `open`  a process that has just started reads a value
 */
export async function run(): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  try {
    await using stack = new AsyncDisposableStack()
    const automerge: Automerge = stack.use(
      await Child.start(new URL('automerge-process.ts', import.meta.url)),
    )
    await automerge.ask({ do: 'build', count: entries })
    const file = await corpusFile(entries)
    const source = join(folder, 'source')
    const responder = await served(source, file)
    stack.use(responder.peer)
    const load = await loaded(responder, automerge, folder)
    await using requester = await startPeer(load.folder, 1)
    await requester.ask({ do: 'dial' })
    const delta = await exchanged(responder, requester, automerge)
    const open = await opened([requester, responder.peer], load.folder, automerge)
    return { entries, load: load.figures, delta, open, forgeriesRefused: responder.refused }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Served {
  readonly peer: Peer
  readonly ticket: string
  readonly whole: Answer
  readonly refused: number
}

/** The one who has everything, started anew after it was filled, so that its peak of memory is that of serving. */
async function served(folder: string, file: string): Promise<Served> {
  let refused: number
  {
    await using filler = await startPeer(folder, 0)
    await filler.ask({ do: 'load', file })
    refused = (await filler.ask({ do: 'forge', file, count: forgeries })).refused
    if (refused !== forgeries) throw new Error(`${forgeries - refused} forged entries were not refused`)
    await filler.ask({ do: 'state', replay: false })
  }
  const peer = await startPeer(folder, 0)
  const { ticket } = await peer.ask({ do: 'listen' })
  const whole = await peer.ask({ do: 'state', replay: false })
  if (whole.count !== entries) throw new Error(`${whole.count} entries were loaded instead of ${entries}`)
  return { peer, ticket, whole, refused }
}

async function loaded({ peer, ticket, whole }: Served, automerge: Automerge, parent: string) {
  const ours: number[] = []
  const theirs: number[] = []
  const usages: Answer[] = []
  let bytes = 0
  let folder = ''
  for (let n = 0; n < loads; n++) {
    theirs.push((await automerge.ask({ do: 'load', count: entries })).ms)
    folder = join(parent, `load-${n}`)
    {
      await using empty = await startPeer(folder, 1)
      await empty.ask({ do: 'dial' })
      const { ms, received, messageBytes } = await empty.ask({ do: 'sync', ticket })
      if (received !== entries) throw new Error(`${received} entries were received instead of ${entries}`)
      ours.push(ms)
      bytes = messageBytes
      usages.push(await empty.ask({ do: 'usage' }))
    }
    await using again = await startPeer(folder, 1)
    assertSame(await again.ask({ do: 'state', replay: false }), whole)
  }
  const responderUsage = await peer.ask({ do: 'usage' })
  const figures = {
    entriesPerSecond: perSecond(ours),
    runs: ours.map((ms) => perSecond([ms])),
    automergePerSecond: perSecond(theirs),
    ratio: Number((median(theirs) / median(ours)).toFixed(2)),
    cpuSeconds: median(usages.map(({ cpuSeconds }) => cpuSeconds!)),
    wireMb: Math.round(bytes / 1e6),
    requesterPeakMb: Math.max(...usages.map(({ peakMb }) => peakMb!)),
    responderPeakMb: responderUsage.peakMb,
  }
  return { folder, figures }
}

async function exchanged({ peer: responder, ticket }: Served, requester: Peer, automerge: Automerge) {
  const ours: { readonly ms: number; readonly overhead: number; readonly requests: number }[] = []
  const theirs: AutomergeAnswer[] = []
  for (let n = 0; n < warmUps + pairs; n++) {
    theirs.push(await automerge.ask({ do: 'delta', count: fresh }))
    const written = [
      await requester.ask({ do: 'write', count: fresh, label: `requester ${n}` }),
      await responder.ask({ do: 'write', count: fresh, label: `responder ${n}` }),
    ]
    const before = await responder.ask({ do: 'usage' })
    const { ms, received, sent, requests } = await requester.ask({ do: 'sync', ticket })
    const after = await responder.ask({ do: 'usage' })
    if (received !== fresh || sent !== fresh)
      throw new Error(`${received} and ${sent} entries were exchanged`)
    const entryBytes = written.reduce((sum, answer) => sum + answer.entryBytes, 0)
    ours.push({ ms, requests, overhead: after.socketBytes - before.socketBytes - entryBytes })
  }
  assertSame(
    await requester.ask({ do: 'state', replay: false }),
    await responder.ask({ do: 'state', replay: false }),
  )
  const [cold] = ours
  const warm = ours.slice(warmUps)
  const own = median(warm.map(({ ms }) => ms))
  const other = median(theirs.slice(warmUps).map(({ ms }) => ms!))
  return {
    ms: round(own),
    automergeMs: round(other),
    ratio: round(other / own),
    coldMs: round(cold!.ms),
    requests: Math.max(...warm.map(({ requests }) => requests)),
    bytesBesideEntries: Math.max(...warm.map(({ overhead }) => overhead)),
    automergeBytes: theirs.at(-1)!.bytes,
    automergeRounds: theirs.at(-1)!.rounds,
  }
}

async function opened([requester, responder]: readonly [Peer, Peer], folder: string, automerge: Automerge) {
  const replay = await responder.ask({ do: 'state', replay: true })
  await requester[Symbol.asyncDispose]()
  const ours: Answer[] = []
  const theirs: number[] = []
  let peakMb = 0
  for (let n = 0; n < loads; n++) {
    theirs.push((await automerge.ask({ do: 'open', count: entries })).ms)
    await using fresh = await startPeer(folder, 1)
    ours.push(await fresh.ask({ do: 'state', replay: false }))
    peakMb = Math.max(peakMb, (await fresh.ask({ do: 'usage' })).peakMb)
  }
  assertSame(ours[0]!, replay)
  const own = median(ours.map(({ ms, openedMs }) => ms! + openedMs!))
  const usage = await automerge.ask({ do: 'usage', count: 0 })
  return {
    ms: round(own),
    automergeMs: round(median(theirs)),
    ratio: round(median(theirs) / own),
    replayMs: round(replay.ms),
    peakMb,
    automergePeakMb: usage.peakMb,
  }
}

function assertSame(one: Answer, other: Answer): void {
  for (const part of ['count', 'tips', 'digest'] as const)
    if (one[part] !== other[part]) throw new Error(`${part} is ${one[part]} here and ${other[part]} there`)
}

function perSecond(runs: readonly number[]): number {
  return Math.round((entries / median(runs)) * 1_000)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function round(value: number): number {
  return Number(value.toFixed(1))
}
