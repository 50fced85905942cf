import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveBudget } from '../../src/node/relay-limits.ts'
import { gitProfile } from '../../src/planes/events/proactive/git-profile.ts'
import { checkpointSchema, type Learned } from '../../src/planes/events/sync/checkpoint.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { ProactiveNetwork } from '../helpers/proactive-network.ts'
import { forging } from '../helpers/script-peer/faults.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise)
const relays = number('SYNCLINE_SIM_RELAYS', 4)
const repositories = number('SYNCLINE_SIM_REPOSITORIES', 20)
const seed = number('SYNCLINE_SIM_SEED', 1)
const deadlineMs = number('SYNCLINE_SIM_SECONDS', 150) * 1_000
const batchWindowMs = number('SYNCLINE_SIM_WINDOW_MS', 2_000)

/** The same network for the same seed. */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** What the relays of one service are asked, once it is down: subscriptions that stay, and what each may be asked. */
async function liveLinks(
  data: string,
): Promise<readonly { readonly live: number; readonly budget: number }[]> {
  await using store = await createSqliteStore({ dir: data })
  return store.read(async (tx) => {
    const byPeer = Map.groupBy(await store.links.list(tx), ({ peer }) => peer)
    const found: { live: number; budget: number }[] = []
    for (const links of byPeer.values()) {
      const learned: (Learned | undefined)[] = []
      for (const { id } of links)
        learned.push(checkpointSchema.safeParse(await store.links.checkpoint(tx, id)).data?.learned)
      const budget = Math.max(...learned.map(liveBudget))
      found.push({ live: links.filter(({ live }) => live).length, budget })
    }
    return found
  })
}

test(`${relays} relays and ${repositories} repositories, some of them faulty, down or restarted, end with every relay holding exactly what it should (seed ${seed})`, async (t) => {
  const began = performance.now()
  const tell = (what: string) =>
    t.diagnostic(`${((performance.now() - began) / 1_000).toFixed(0)} s: ${what}`)
  await using folder = await temporaryFolder()
  await using liar = await ScriptPeer.listen({ is: [forging()] })
  const random = randomFrom(seed)
  const strangers = [liar.url]
  await using network = await ProactiveNetwork.open({
    folder: folder.path,
    relays,
    random,
    strangers,
    batchWindowMs,
  })
  const everywhere = Array.from({ length: relays }, (_, n) => n)
  const [down, restarted] = [relays - 1, relays - 2]
  // Of one repository so many relays count, the liar among them; what more an announcement names is left out.
  await network.announce(everywhere.slice(0, gitProfile.bounds.peersPerSubject - 1))
  for (let n = 1; n < repositories / 2; n++) await network.announce(network.pickServices())
  for (let n = 0; n < repositories; n++) await network.discuss(network.pickRepository())
  for (const { thread } of network.repositories) for (const event of thread) liar.set.add(event)

  tell('everything of the first half is published')

  // One leaves: what happens meanwhile, new repositories among it, it finds when it is back.
  await network.stop(down)
  for (let n = network.repositories.length; n < repositories; n++)
    await network.announce(network.pickServices())
  await network.stop(restarted)
  await network.start(restarted)
  const reachable = network.repositories.flatMap(({ on }, n) => (on.some((at) => at !== down) ? [n] : []))
  for (const which of reachable) await network.discuss(which)
  await network.join(1, restarted)
  await network.start(down)
  for (let n = 0; n < relays; n++) await network.discuss(network.pickRepository())

  tell('everything is published')
  const lacks = await network.missing(deadlineMs)
  tell(`lacks ${lacks.map(({ length }) => length).join(' ')}`)
  assert.deepEqual(lacks.flat(), [])
  for (const at of everywhere) assert.deepEqual(await network.held(at), network.expected(at), `service ${at}`)
  assert.ok(network.places[0]!.proxy!.cuts > 0, 'the line to the first was cut')
  for (const at of everywhere) {
    const mirrored = await network.relaysOf(at)
    assert.ok(mirrored <= relays, `${mirrored} relays: the others and the liar`)
  }
  assert.ok(liar.open <= relays, 'one connection of each service')
  for (const at of everywhere) {
    await network.stop(at)
    for (const { live, budget } of await liveLinks(network.places[at]!.data))
      assert.ok(live <= budget, `${live} subscriptions of ${budget}`)
  }
})
