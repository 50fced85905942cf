import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import { everything } from '../../../src/planes/events/event-store.ts'
import { asParsed, craft, hexId } from '../event-arbitrary.ts'
import { alice, bob, carol, idsOf, type OpenWorld, restrictedKinds, sessionOf, walk } from './world.ts'

export function rules<Tx>(name: string, open: OpenWorld<Tx>): void {
  describe(`event store ${name}: rules`, () => {
    it('E-140 a duplicate is told apart and changes nothing', async () => {
      await using world = await open()
      const event = asParsed(craft({ id: hexId(1) }))
      assert.deepEqual(await world.store.put([event, event]), ['stored', 'duplicate'])
      assert.deepEqual(await world.store.put([event]), ['duplicate'])
      assert.equal(await world.store.lastSeq(), 1)
    })

    it('E-141 the newest version of a replaceable stays, of equals the lowest id, a missing d is an empty one', async () => {
      await using world = await open()
      const [low = '', high = ''] = [hexId(1), hexId(2)].sort()
      const first = craft({ id: high, kind: 30_023, tags: [['d', '']] })
      const tie = craft({ id: low, kind: 30_023, tags: [['t', 'no d']] })
      const older = craft({ id: hexId(3), kind: 30_023, created_at: 999 })
      const other = craft({ id: hexId(4), kind: 30_023, tags: [['d', 'other']] })
      const outcomes = await world.store.put([first, tie, first, older, other].map(asParsed))
      assert.deepEqual(outcomes, ['stored', 'stored', 'superseded', 'superseded', 'stored'])
      assert.deepEqual(await idsOf(world.store), [low, hexId(4)].sort())
      assert.equal(await world.store.count([{ '#d': [''] }], everything), 0)
    })

    it('E-125 a refusal is remembered for thirty days, only if its transaction commits, and not by the event itself', async () => {
      await using world = await open()
      const [kept, lost] = [hexId(1), hexId(2)]
      await world.transaction((tx) => world.store.refuseIn(tx, [kept]))
      const failing = world.transaction(async (tx) => {
        await world.store.refuseIn(tx, [lost])
        throw new Error('rolled back')
      })
      await assert.rejects(failing)
      assert.deepEqual([...(await world.store.refused([kept, lost, hexId(3)]))], [kept])
      assert.deepEqual(await world.store.put([asParsed(craft({ id: kept }))]), ['stored'])
      await world.clock.advance(30 * 86_400_000)
      await world.store.sweep()
      assert.deepEqual([...(await world.store.refused([kept]))], [])
    })

    it('E-142 P-88 only its author deletes an event, before or after it comes; the deletion itself stays', async () => {
      await using world = await open()
      const target = craft({ id: hexId(1) })
      const byStranger = craft({ id: hexId(2), kind: 5, pubkey: bob, tags: [['e', target.id]] })
      const byAuthor = craft({ id: hexId(3), kind: 5, tags: [['e', target.id]] })
      const ofDeletion = craft({ id: hexId(4), kind: 5, tags: [['e', byAuthor.id]] })
      assert.deepEqual(await world.store.put([byStranger, target].map(asParsed)), ['stored', 'stored'])
      assert.deepEqual(await world.store.put([byAuthor, target].map(asParsed)), ['stored', 'deleted'])
      assert.deepEqual(await world.store.put([ofDeletion, target].map(asParsed)), ['stored', 'deleted'])
      assert.deepEqual(await idsOf(world.store), [hexId(2), hexId(3), hexId(4)].sort())
    })

    it('E-142 deleting an address spares newer versions and other addresses', async () => {
      await using world = await open()
      const version = (id: number, created_at: number, d: string) =>
        craft({ id: hexId(id), kind: 30_023, created_at, tags: [['d', d]] })
      const deletion = craft({ id: hexId(9), kind: 5, created_at: 20, tags: [['a', `30023:${alice}:x:y`]] })
      const list = [
        version(1, 20, 'x:y'),
        version(2, 10, 'z'),
        deletion,
        version(3, 19, 'x:y'),
        version(4, 21, 'x:y'),
      ]
      assert.deepEqual(await world.store.put(list.map(asParsed)), [
        'stored',
        'stored',
        'stored',
        'deleted',
        'stored',
      ])
      assert.deepEqual(await idsOf(world.store), [hexId(2), hexId(9), hexId(4)].sort())
    })

    it('an old version does not come back when its successor is deleted by id', async () => {
      await using world = await open()
      const old = craft({ id: hexId(1), kind: 0, created_at: 10 })
      const successor = craft({ id: hexId(2), kind: 0, created_at: 20 })
      const deletion = craft({ id: hexId(3), kind: 5, created_at: 30, tags: [['e', successor.id]] })
      const outcomes = await world.store.put([old, successor, deletion, old].map(asParsed))
      assert.deepEqual(outcomes, ['stored', 'stored', 'stored', 'deleted'])
      assert.deepEqual(await idsOf(world.store), [deletion.id])
    })

    it('E-143 what has expired is refused, and gone from every read at that second, swept or not', async () => {
      await using world = await open()
      const { store, clock } = world
      const late = craft({ id: hexId(1), tags: [['expiration', '100']] })
      const soon = craft({
        id: hexId(2),
        tags: [
          ['expiration', '101'],
          ['t', 'x'],
        ],
      })
      const never = craft({ id: hexId(3), tags: [['expiration', 'tomorrow']] })
      assert.deepEqual(await store.put([late, soon, never].map(asParsed)), ['expired', 'stored', 'stored'])
      assert.equal(await store.count([{}], everything), 2)
      clock.jump(1_000)
      for (const filter of [
        {},
        { '#t': ['x'] },
        { ids: [soon.id] },
        { authors: [alice] },
        { kinds: [1], until: 2_000 },
      ]) {
        const expected = '#t' in filter || 'ids' in filter ? 0 : 1
        assert.equal(await store.count([filter], everything), expected)
        assert.equal(
          (await walk(store, { filter, order: 'seq', limit: 9, visibility: everything })).ids.length,
          expected,
        )
      }
      assert.deepEqual(await store.put([asParsed(soon)]), ['expired'])
      assert.equal(await store.sweep(), 1)
      assert.equal(await store.sweep(), 0)
      await using session = await store.reconciler(sessionOf({}, everything))
      assert.equal(session.size, 1)
    })

    it('E-144 a request to vanish removes everything up to its time, for ever', async () => {
      await using world = await open()
      const { store } = world
      const at = (id: number, fields: Partial<NostrEvent>) =>
        craft({ id: hexId(id), created_at: 50, ...fields })
      const before = [at(1, {}), at(2, { kind: 5 }), at(3, { kind: 1059, pubkey: bob, tags: [['p', alice]] })]
      const spared = [at(4, { created_at: 51 }), at(5, { pubkey: bob, tags: [['p', alice]] })]
      const elsewhere = at(6, { kind: 62, pubkey: bob, tags: [['relay', 'wss://elsewhere.example']] })
      const request = at(7, { kind: 62, tags: [['relay', 'wss://Relay.Example']] })
      await store.put([...before, ...spared, elsewhere, request].map(asParsed))
      assert.deepEqual(await idsOf(store), [...spared, elsewhere, request].map(({ id }) => id).sort())
      assert.deepEqual(await store.put(before.map(asParsed)), ['vanished', 'vanished', 'vanished'])
      const undo = at(8, { kind: 5, created_at: 60, tags: [['e', request.id]] })
      assert.deepEqual(await store.put([undo, request, at(9, {})].map(asParsed)), [
        'stored',
        'duplicate',
        'vanished',
      ])
      const reopened = await world.reopen(world.config)
      assert.deepEqual(await reopened.store.put([asParsed(at(10, {}))]), ['vanished'])
      await reopened[Symbol.asyncDispose]()
    })

    it('E-149 E-123 restricted kinds are read by their author and recipients only, by every way of reading', async () => {
      await using world = await open()
      const { store } = world
      const letter = craft({ id: hexId(1), kind: 4, tags: [['p', bob]] })
      await store.put([letter, craft({ id: hexId(2), kind: 1 })].map(asParsed))
      const readers: [readonly string[], number][] = [
        [[], 0],
        [[carol], 0],
        [[carol, bob], 1],
        [[alice], 1],
      ]
      for (const [pubkeys, letters] of readers) {
        const visibility = { restrictedKinds, pubkeys }
        for (const filter of [
          {},
          { kinds: [4, 1] },
          { authors: [alice] },
          { ids: [hexId(1), hexId(2)] },
          { since: 1 },
        ]) {
          const page = await store.query([filter], { defaultLimit: 9, maxLimit: 9, visibility })
          assert.equal(page.events.length, 1 + letters)
          assert.equal(await store.count([filter, filter], visibility), 1 + letters)
          for (const order of ['asc', 'desc', 'seq'] as const) {
            assert.equal((await walk(store, { filter, order, limit: 9, visibility })).ids.length, 1 + letters)
          }
          assert.equal((await store.fingerprint(filter, visibility)).count, 1 + letters)
          await using session = await store.reconciler(sessionOf(filter, visibility))
          assert.equal(session.size, 1 + letters)
        }
      }
    })

    it('E-153 ephemeral events are told to listeners and kept nowhere', async () => {
      await using world = await open()
      const heard: string[] = []
      using _ = world.store.onAccepted((events) => void heard.push(...events.map(({ id }) => id)))
      const passing = craft({ id: hexId(1), kind: 20_001, tags: [['expiration', '1']] })
      assert.deepEqual(await world.store.put([asParsed(passing)]), ['ephemeral'])
      assert.deepEqual(heard, [passing.id])
      assert.deepEqual(await idsOf(world.store), [])
      assert.equal((await world.store.fingerprint({}, everything)).count, 0)
    })
  })
}
