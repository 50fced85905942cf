import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '@nostr-relay/common'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { independentRelay } from '../helpers/independent-relay.ts'
import { idsOf, notes } from '../helpers/notes.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const openNodeIn = async (data: string) =>
  openNode(await loadConfig({ flags: { data, port: '0' } }), { log: silentLogger })
const options = () => ({ signal: AbortSignal.timeout(60_000), onProgress: () => {} })

async function* asLines(events: readonly object[]): AsyncGenerator<string> {
  for (const event of events) yield JSON.stringify(event)
}

test('E-126 a sync without direction tells what each side lacks, and moves nothing', async () => {
  await using folder = await temporaryFolder()
  await using a = await openNodeIn(folder.join('a'))
  await using b = await openNodeIn(folder.join('b'))
  const events = notes(60)
  await a.import(asLines(events.slice(0, 50)), { verify: true, ...options() })
  await b.import(asLines(events.slice(20)), { verify: true, ...options() })
  const need: string[] = []
  const have: string[] = []
  const request = { url: await a.listen(), direction: 'none', filter: {}, live: false } as const
  const before = [await a.count({}), await b.count({})]
  for (let round = 0; round < 2; round++) {
    need.length = 0
    have.length = 0
    const { run } = await b.syncOnce(request, {
      ...options(),
      onDifference: (difference) => {
        need.push(...difference.need)
        have.push(...difference.have)
      },
    })
    assert.equal(run.state, 'idle', `${run.reason}`)
    assert.deepEqual([run.progress?.counters?.need, run.progress?.counters?.have], [20, 10])
    assert.deepEqual(need.sort(), idsOf(events.slice(0, 20)))
    assert.deepEqual(have.sort(), idsOf(events.slice(50)))
  }
  assert.deepEqual([await a.count({}), await b.count({})], before)
})

test('E-126 a relay that cannot compare is told of as one, and nothing is fetched from it instead', async () => {
  await using folder = await temporaryFolder()
  await using node = await openNodeIn(folder.path)
  await using relay = await independentRelay({ cap: 10 })
  for (const event of notes(5)) relay.events.set(event.id, structuredClone(event) as Event)
  const { run } = await node.syncOnce(
    { url: relay.url, direction: 'none', filter: {}, live: false },
    options(),
  )
  assert.equal(run.fault?.name, 'negentropy_unsupported', `${run.reason}`)
  assert.equal((await node.count({})).count, 0)
})
