import {
  type ActorId,
  applyChanges,
  type Change,
  change,
  type Doc,
  decodeChange,
  encodeChange,
  generateSyncMessage,
  getHeads,
  ImmutableString,
  init,
  initSyncState,
  load,
  receiveSyncMessage,
  type SyncState,
  save,
} from '@automerge/automerge'
import { answerParent } from '../harness/child.ts'
import { finalState, historySteps } from './history.ts'

/** Plain values, as ours are: a bare string would be a text that is edited letter by letter, which costs more. */
export type Keys = Record<string, ImmutableString>

/** What the other system does with the same history, in one process and in memory: nothing is signed, sent or stored. */
export interface AutomergeCommand {
  readonly do: 'build' | 'load' | 'delta' | 'open' | 'usage'
  readonly count: number
}

export interface AutomergeAnswer {
  readonly ms?: number
  readonly bytes?: number
  readonly rounds?: number
  readonly peakMb?: number
}

interface Side {
  doc: Doc<Keys>
  state: SyncState
}

const actors = ['aa'.repeat(16), 'bb'.repeat(16)] as const
/** A document that has moved on leaves its former self unusable, so each is only ever held here. */
let whole: Side
let other: Side
let written = 0

answerParent(({ do: what, count }: AutomergeCommand) => perform(what, count))

function perform(what: AutomergeCommand['do'], count: number): AutomergeAnswer {
  switch (what) {
    case 'build':
      whole = side(build(count))
      return {}
    case 'load':
      whole = side(whole.doc)
      other = side(init<Keys>({ actor: 'cc'.repeat(16) }))
      return timed(() => sync(other, whole))
    case 'delta':
      for (const side of [whole, other]) for (let n = 0; n < count; n++) write(side, n)
      return timed(() => sync(other, whole))
    case 'open':
      return opened(save(whole.doc))
    case 'usage':
      return { peakMb: Math.round(process.resourceUsage().maxRSS / 1_024) }
  }
}

function side(doc: Doc<Keys>): Side {
  return { doc, state: initSyncState() }
}

function timed(work: () => AutomergeAnswer): AutomergeAnswer {
  const before = performance.now()
  const result = work()
  const ms = performance.now() - before
  if (getHeads(whole.doc).join() !== getHeads(other.doc).join())
    throw new Error('the two are not equal after a sync')
  return { ...result, ms }
}

function opened(bytes: Uint8Array): AutomergeAnswer {
  const before = performance.now()
  const doc = load<Keys>(bytes)
  if (doc['key-0'] === undefined) throw new Error('a value is missing')
  return { ms: performance.now() - before, bytes: bytes.length }
}

/** Until neither has anything more to say. */
function sync(a: Side, b: Side): { readonly bytes: number; readonly rounds: number } {
  let bytes = 0
  for (let rounds = 0; ; rounds++) {
    const sent = [pass(a, b), pass(b, a)]
    bytes += sent[0]! + sent[1]!
    if (sent[0] === 0 && sent[1] === 0) return { bytes, rounds }
  }
}

function pass(from: Side, to: Side): number {
  const [state, message] = generateSyncMessage(from.doc, from.state)
  from.state = state
  if (message === null) return 0
  const [doc, next] = receiveSyncMessage(to.doc, to.state, message)
  to.doc = doc
  to.state = next
  return message.length
}

function write(side: Side, n: number): void {
  side.doc = change(side.doc, (keys) => {
    keys[`key-${n}`] = new ImmutableString(`again ${written++}`)
  })
}

/** Encoded change by change, which takes seconds where making them through a document takes minutes. */
function build(count: number): Doc<Keys> {
  const steps: { readonly hash: string; readonly op: number }[] = []
  const last = new Map<string, string>()
  const seqs: [number, number] = [0, 0]
  const changes: Change[] = []
  for (const { writer, parents, key, value } of historySteps(count)) {
    const on = parents.map((n) => steps[n]!)
    const startOp = 1 + Math.max(0, ...on.map(({ op }) => op))
    const actor = actors[writer]
    const before = last.get(key)
    const op = {
      action: 'set' as const,
      obj: '_root',
      key,
      value,
      pred: before === undefined ? [] : [before],
    }
    seqs[writer] += 1
    const deps = on.map(({ hash }) => hash)
    const encoded = encodeChange({
      actor: actor as ActorId,
      seq: seqs[writer],
      startOp,
      time: 0,
      message: null,
      author: null,
      deps,
      ops: [op],
    })
    changes.push(encoded)
    steps.push({ hash: decodeChange(encoded).hash, op: startOp })
    last.set(key, `${startOp}@${actor}`)
  }
  const [doc] = applyChanges(init<Keys>({ actor: 'dd'.repeat(16) }), changes)
  for (const [key, value] of finalState(count))
    if (doc[key]?.val !== value) throw new Error(`${key} is not ${value}`)
  return doc
}
