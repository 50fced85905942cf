import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { everything, TooManyRecords } from '../../../src/planes/events/event-store.ts'
import * as arbitrary from '../event-arbitrary.ts'
import { asParsed, craft, hexId } from '../event-arbitrary.ts'
import {
  bob,
  check,
  type OpenWorld,
  reconcile,
  reconcileWith,
  restrictedKinds,
  sessionOf,
  stranger,
  visible,
} from './world.ts'

export function reconciling<Tx>(name: string, open: OpenWorld<Tx>): void {
  describe(`event store ${name}: reconciling`, () => {
    it('finds exactly what either side lacks, for any filter and visibility', async () => {
      const sides = arbitrary.events.chain((list) => fc.tuple(fc.subarray(list), fc.subarray(list)))
      const readers = fc.constantFrom(everything, stranger, { restrictedKinds, pubkeys: [bob] })
      await check(
        fc.asyncProperty(
          sides,
          arbitrary.filter,
          readers,
          async ([ours, theirs], { limit: _, ...filter }, visibility) => {
            await using a = await open()
            await using b = await open()
            await a.store.put(ours.map(asParsed))
            await b.store.put(theirs.map(asParsed))
            const expected = {
              have: await visible(a.store, filter, visibility),
              need: await visible(b.store, filter, visibility),
            }
            const found = await reconcile(a.store, b.store, filter, visibility)
            assert.deepEqual(
              found.have.sort(),
              [...expected.have].filter((id) => !expected.need.has(id)).sort(),
            )
            assert.deepEqual(
              found.need.sort(),
              [...expected.need].filter((id) => !expected.have.has(id)).sort(),
            )
          },
        ),
        30,
      )
    })

    it('a session keeps to its moment while events come and go', async () => {
      await using a = await open()
      await using b = await open()
      const list = Array.from({ length: 3_000 }, (_, at) =>
        craft({ id: hexId(at), created_at: at, kind: at % 2 ? 10_000 + at : 1 }),
      )
      await a.store.put(list.map(asParsed))
      await b.store.put(list.slice(0, 2_990).map(asParsed))
      await using session = await b.store.reconciler({ ...sessionOf({}, everything), role: 'responder' })
      await b.store.put(
        list.map(({ id, ...event }) =>
          asParsed({ ...event, id: hexId(`new ${id}`), created_at: event.created_at + 1 }),
        ),
      )
      const found = await reconcileWith(a.store, session, {}, everything)
      assert.deepEqual(
        found.have.sort(),
        list
          .slice(2_990)
          .map(({ id }) => id)
          .sort(),
      )
      assert.deepEqual(found.need, [])
    })

    it('refuses a limit, and sets larger than the maximum', async () => {
      await using world = await open()
      await world.store.put(Array.from({ length: 5 }, (_, at) => asParsed(craft({ id: hexId(at), kind: 1 }))))
      await assert.rejects(world.store.reconciler(sessionOf({ limit: 5 }, everything)))
      for (const filter of [{}, { kinds: [1] }]) {
        const options = { ...sessionOf(filter, everything), maxRecords: 4 }
        await assert.rejects(
          world.store.reconciler(options),
          (error) => error instanceof TooManyRecords && error.max === 4,
        )
        await using session = await world.store.reconciler({ ...options, maxRecords: 5 })
        assert.equal(session.size, 5)
      }
    })
  })
}
