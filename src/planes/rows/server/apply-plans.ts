import type { OperationCode } from '../wire/operation.ts'

/** Consecutive rows of a push with the same table, operation and columns. */
export interface ApplyRun {
  readonly tableId: number
  readonly opCode: OperationCode
  /** Of the payload, with the key column, sorted; none for DELETE. */
  readonly columns: readonly string[]
  /** Ordinals of the first and the last row. */
  readonly first: number
  readonly last: number
}

/** Kept over all pushes; a push of more is planned by the database. */
const maxRuns = 20_000

/**
 * How pushes that are being uploaded to this process will be applied. All of it can be read from the staged rows too, and is
 * when a push went through another process or was forgotten; this saves parsing each of them once more.
 */
export class ApplyPlans {
  readonly #plans = new Map<string, ApplyRun[]>()
  #runs = 0

  /** Adds a chunk's runs. Call it when the chunk is committed. */
  extend(pushId: string, runs: readonly ApplyRun[]): void {
    const plan = this.#plans.get(pushId) ?? []
    const last = plan.at(-1)
    const [first, ...rest] = runs
    // The first chunk was for another process, or has been forgotten.
    if (first === undefined || first.first !== (last?.last ?? -1) + 1) return this.forget(pushId)
    const joins = last !== undefined && sameKind(last, first)
    const added = joins ? [{ ...last, last: first.last }, ...rest] : runs
    if (joins) plan.pop()
    plan.push(...added)
    this.#runs += added.length - (joins ? 1 : 0)
    this.#plans.set(pushId, plan)
    for (const [oldest] of this.#plans) {
      if (this.#runs <= maxRuns) break
      this.forget(oldest)
    }
  }

  /** The runs of all rows, or undefined. */
  whole(pushId: string, rows: number): readonly ApplyRun[] | undefined {
    const plan = this.#plans.get(pushId)
    return plan?.at(-1)?.last === rows - 1 ? plan : undefined
  }

  forget(pushId: string): void {
    this.#runs -= this.#plans.get(pushId)?.length ?? 0
    this.#plans.delete(pushId)
  }
}

/** Rows one by one into runs, beginning with the ordinal `start`. */
export function runsOf(
  start: number,
  rows: readonly Omit<ApplyRun, 'first' | 'last'>[],
): readonly ApplyRun[] {
  const runs: ApplyRun[] = []
  for (const [i, { tableId, opCode, columns }] of rows.entries()) {
    const run = { tableId, opCode, columns, first: start + i, last: start + i }
    const last = runs.at(-1)
    if (last !== undefined && sameKind(last, run)) runs[runs.length - 1] = { ...last, last: run.last }
    else runs.push(run)
  }
  return runs
}

function sameKind(a: ApplyRun, b: ApplyRun): boolean {
  return (
    a.tableId === b.tableId &&
    a.opCode === b.opCode &&
    (a.columns === b.columns ||
      (a.columns.length === b.columns.length && a.columns.every((name, i) => name === b.columns[i])))
  )
}
