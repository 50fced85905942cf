/** One change to one key: what both systems under test record, each in its own form. */
export interface HistoryStep {
  /** Which of the two writers made it. */
  readonly writer: 0 | 1
  /** Numbers of the steps it builds on; empty for the first. */
  readonly parents: readonly number[]
  readonly key: string
  readonly value: string
}

const keys = 20_000
/** Of every thousand steps the last hundred are written by both at the same time, fifty each. */
const block = 1_000
const side = 50

/**
 * The same history on every machine: two writers in turns, who part and come together once in a thousand steps. No two
 * concurrent steps write the same key, so that what precedes a value is plain.
 */
export function* historySteps(count: number): Generator<HistoryStep> {
  let tips: readonly number[] = []
  for (let n = 0; n < count; n++) {
    const within = n % block
    const isApart = within >= block - 2 * side && n - within + block <= count
    const second = isApart && within >= block - side
    const writer = second || (!isApart && Math.floor(n / side) % 2 === 1) ? 1 : 0
    const fork = n - within + block - 2 * side - 1
    const parents = !isApart ? tips : within % side === 0 ? [fork] : [n - 1]
    yield { writer, parents, key: `key-${n % keys}`, value: `the value of step ${n}` }
    tips = isApart && within === block - 1 ? [n - side, n] : [n]
  }
}

/** What the keys hold in the end. */
export function finalState(count: number): Map<string, string> {
  const state = new Map<string, string>()
  for (const { key, value } of historySteps(count)) state.set(key, value)
  return state
}
