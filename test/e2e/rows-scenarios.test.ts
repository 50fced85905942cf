import { describe, it } from 'node:test'
import { postgresServer } from '../helpers/postgres-server.ts'
import { scenarios } from '../helpers/rows-scenarios.ts'
import { play, seeded } from '../helpers/rows-stage.ts'

const postgres = postgresServer()

describe('the scenarios of the simulator', () => {
  for (const scenario of scenarios)
    it(`${scenario.name} ends alike on server and devices`, async () => {
      await play({ postgres, watching: scenario.serverWatches ?? true }, (stage) => scenario.play(stage))
    })

  it('all of them at once, each by users of its own on one server', async () => {
    const alike = scenarios.filter(
      ({ serverWatches = true, restartsServer = false }) => serverWatches && !restartsServer,
    )
    await play({ postgres, companies: alike.length }, (stage, company) => alike[company]!.play(stage))
  })

  it('also when the server keeps no more than two bundles', async () => {
    for (const name of ['multi-device-complex', 'offline-online'])
      await play({ postgres, retained: 2 }, (stage) =>
        scenarios.find((scenario) => scenario.name === name)!.play(stage),
      )
  })
})

/**
 * The same scenarios while server and devices are killed, at moments that the seed decides. A few with every test run; many with
 * `SYNCLINE_TEST_ROWS_SEEDS=200 npx node --test test/e2e/rows-scenarios.test.ts`.
 */
describe('the scenarios while processes die', () => {
  const seeds = Number(process.env.SYNCLINE_TEST_ROWS_SEEDS ?? 3)
  const first = Number(process.env.SYNCLINE_TEST_ROWS_FIRST_SEED ?? 1)
  for (let seed = first; seed < first + seeds; seed++) {
    const scenario = scenarios[(seed * 5) % scenarios.length]!
    it(`seed ${seed}: ${scenario.name} ends alike on server and devices`, async () => {
      const retained = seed % 3 === 0 ? 2 : 1_000
      const watching = scenario.serverWatches ?? true
      await play({ postgres, chaos: seeded(seed), retained, watching }, (stage) => scenario.play(stage))
    })
  }
})
