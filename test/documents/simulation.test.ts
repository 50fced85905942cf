import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type SimulationReport, simulate } from '../helpers/document-simulation.ts'

const seeds = Number(process.env.SYNCLINE_SIM_SEEDS ?? 6)
const first = Number(process.env.SYNCLINE_SIM_FIRST ?? 0)

describe(`documents over a bad network, ${seeds} seeds`, () => {
  it('D-90 D-91 D-92 D-93 D-94 D-95 peers end equal in entries, tips and state, and nothing is lost', async () => {
    const total: Record<keyof SimulationReport, number> = {
      writes: 0,
      exchanges: 0,
      failedExchanges: 0,
      restarts: 0,
      lost: 0,
      twice: 0,
    }
    for (let seed = first; seed < first + seeds; seed++) {
      const report = await simulate(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}: run it alone with SYNCLINE_SIM_FIRST=${seed} SYNCLINE_SIM_SEEDS=1`, {
          cause: error,
        })
      })
      for (const key of Object.keys(total) as (keyof SimulationReport)[]) total[key] += report[key]
    }
    // A network that is too good would prove nothing.
    if (seeds >= 6) for (const [what, count] of Object.entries(total)) assert.ok(count > 0, `no ${what}`)
  })
})
