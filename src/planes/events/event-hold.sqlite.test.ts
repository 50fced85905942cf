import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/helpers/fake-clock.ts'
import { hex, issueEvent, unsigned } from '../../../test/helpers/git-events.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { createSqliteStore } from '../../stores/sqlite/sqlite-store.ts'
import type { NostrEvent } from './event.ts'
import { createSqliteEventHold } from './event-hold.sqlite.ts'
import type { HoldBounds } from './event-hold.ts'

const day = 86_400_000
const bounds: HoldBounds = {
  maxEvents: 100,
  maxBytes: 1_000_000,
  maxPerAuthor: 50,
  coldSeconds: 7 * 86_400,
  maxCold: 3,
}

async function world(limits: Partial<HoldBounds> = {}) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  let store = await createSqliteStore({ dir: folder.path })
  opening.defer(() => store[Symbol.asyncDispose]())
  const clock = new FakeClock(1_700_000_000_000)
  const options = { clock, bounds: { ...bounds, ...limits } }
  let hold = await createSqliteEventHold({ store, ...options })
  const stack = opening.move()
  return {
    clock,
    hold: () => hold,
    keep: (event: NostrEvent, keys: string[], seconds = 600, again = true) =>
      store.transaction(async (tx) => {
        const parsed = { event, raw: JSON.stringify(event) }
        const terms = { keys, seconds, reason: '', accepted: false }
        return (await hold.holdIn(tx, [{ parsed, terms, again }]))[0]
      }),
    waiting: async (...keys: string[]) => (await hold.waitingFor(keys, 100)).map(({ event }) => event.id),
    restart: async () => {
      await store[Symbol.asyncDispose]()
      store = await createSqliteStore({ dir: folder.path })
      hold = await createSqliteEventHold({ store, ...options })
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

test('what is held is found by any of its keys, oldest first, and by nobody else', async () => {
  await using w = await world()
  await w.keep(issueEvent('x', { id: hex(2), created_at: 20 }), ['a', 'b'])
  await w.keep(issueEvent('x', { id: hex(1), created_at: 10 }), ['b'])
  assert.deepEqual(await w.waiting('b'), [hex(1), hex(2)])
  assert.deepEqual(await w.waiting('a', 'b'), [hex(1), hex(2)])
  assert.deepEqual(await w.waiting('c'), [])
  assert.deepEqual([...(await w.hold().held([hex(1), hex(9)]))], [hex(1)])
  await w.hold().release([hex(1)])
  assert.deepEqual(await w.waiting('b'), [hex(2)])
})

test('P-89 what is held outlives a restart, and its time runs on meanwhile', async () => {
  await using w = await world()
  await w.keep(issueEvent('x', { id: hex(1) }), ['a'], 100)
  await w.restart()
  await w.clock.advance(99_000)
  assert.deepEqual(await w.waiting('a'), [hex(1)])
  await w.clock.advance(1_000)
  assert.deepEqual(await w.waiting('a'), [])
  assert.deepEqual(await w.hold().sweep(), [hex(1)])
  assert.deepEqual((await w.hold().status()).expired, 1)
})

test('held again, an event keeps its time and gains keys', async () => {
  await using w = await world()
  const event = issueEvent('x', { id: hex(1) })
  await w.keep(event, ['a'], 100)
  await w.clock.advance(50_000)
  assert.equal(await w.keep(event, ['b'], 100), true)
  await w.clock.advance(49_000)
  assert.deepEqual(await w.waiting('b'), [hex(1)])
  await w.clock.advance(1_000)
  assert.deepEqual(await w.waiting('b'), [])
})

test('K7 there is room for so many, so many bytes and so many of one author; what finds none is counted', async () => {
  const cases: [Partial<HoldBounds>, number][] = [
    [{ maxEvents: 3 }, 3],
    [{ maxPerAuthor: 2 }, 2],
    [{ maxBytes: JSON.stringify(unsigned(1, [])).length * 4 }, 4],
  ]
  for (const [limits, room] of cases) {
    await using w = await world(limits)
    const kept: boolean[] = []
    for (let n = 0; n < 6; n++) kept.push((await w.keep(unsigned(1, [], { id: hex(n) }), ['a'])) === true)
    assert.deepEqual(
      kept,
      Array.from({ length: 6 }, (_, n) => n < room),
    )
    assert.equal((await w.hold().status()).refused, 6 - room)
    await w.hold().release([hex(0)])
    assert.equal(
      await w.keep(unsigned(1, [], { id: hex(9) }), ['a']),
      true,
      'and room again once one has left',
    )
  }
})

test('P-85 what was given up is remembered for seven days: no sync brings it back, its sender may send it again', async () => {
  await using w = await world()
  const event = issueEvent('x', { id: hex(1) })
  await w.keep(event, ['a'], 100)
  await w.clock.advance(100_000)
  await w.hold().sweep()
  assert.deepEqual(await w.waiting('a'), [])
  assert.deepEqual([...(await w.hold().held([hex(1)]))], [hex(1)], 'and so it is not fetched')
  assert.equal(await w.keep(event, ['a'], 100, false), false)
  assert.equal(await w.keep(event, ['a'], 100, true), true)
  assert.deepEqual(await w.waiting('a'), [hex(1)])
  await w.clock.advance(100_000)
  await w.hold().sweep()
  await w.clock.advance(7 * day)
  await w.hold().sweep()
  assert.equal((await w.hold().status()).cold, 0)
  assert.equal((await w.hold().held([hex(1)])).size, 0)
})

test('what was given up may be fetched anew once what it waited for is here', async () => {
  await using w = await world()
  await w.keep(issueEvent('x', { id: hex(1) }), ['a'], 100)
  await w.keep(issueEvent('x', { id: hex(2) }), ['b'], 100)
  await w.clock.advance(100_000)
  await w.hold().sweep()
  await w.hold().forget(['a'])
  assert.deepEqual([...(await w.hold().held([hex(1), hex(2)]))], [hex(2)])
})

test('K7 no more than so many are remembered, those given up last', async () => {
  await using w = await world()
  for (let n = 0; n < 5; n++) {
    await w.keep(issueEvent('x', { id: hex(n) }), ['a'], 100)
    await w.clock.advance(100_000)
    await w.hold().sweep()
  }
  assert.deepEqual([...(await w.hold().held([0, 1, 2, 3, 4].map(hex)))], [2, 3, 4].map(hex))
})
