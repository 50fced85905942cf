import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { everything } from '../../../src/planes/events/event-store.ts'
import * as arbitrary from '../event-arbitrary.ts'
import { asParsed, ourUrl } from '../event-arbitrary.ts'
import { DumbRelay } from '../event-oracle.ts'
import { check, idsOf, type OpenWorld, seconds } from './world.ts'

export function orderOfArrival<Tx>(name: string, open: OpenWorld<Tx>): void {
  describe(`event store ${name}: order of arrival`, () => {
    it('P-N-2 stores the same set for any order of arrival, with duplicates', async () => {
      const orders = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), arbitrary.arrivals(list)),
      )
      await check(
        fc.asyncProperty(orders, async ([one, other]) => {
          await using a = await open()
          await using b = await open()
          await a.store.put(one.map(asParsed))
          for (const event of other) await b.store.put([asParsed(event)])
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          assert.deepEqual(
            await a.store.fingerprint({}, everything),
            await b.store.fingerprint({}, everything),
          )
        }),
        40,
      )
    })

    it('P-N-4 expiry, deletion and vanish commute with arrival and sweeping', async () => {
      const orders = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), arbitrary.arrivals(list), fc.integer({ min: 0, max: 40 })),
      )
      await check(
        fc.asyncProperty(orders, async ([one, other, wait]) => {
          await using a = await open()
          await using b = await open()
          await a.store.put(one.map(asParsed))
          await b.store.put(other.map(asParsed))
          for (const world of [a, b]) world.clock.jump(wait * 1_000)
          await b.store.sweep()
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          await a.store.sweep()
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          assert.deepEqual(
            await a.store.fingerprint({}, everything),
            await b.store.fingerprint({}, everything),
          )
        }),
        40,
      )
    })

    it('answers every event as if it had come alone, also inside one batch', async () => {
      const batches = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), fc.integer({ min: 1, max: 8 })),
      )
      await check(
        fc.asyncProperty(batches, async ([list, size]) => {
          await using world = await open()
          const oracle = new DumbRelay([ourUrl])
          for (let at = 0; at < list.length; at += size) {
            const batch = list.slice(at, at + size)
            const expected = batch.map((event) => oracle.put(event, seconds(world.clock)))
            assert.deepEqual(await world.store.put(batch.map(asParsed)), expected)
          }
        }),
        60,
      )
    })
  })
}
