import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything } from '../../../src/planes/events/event-store.ts'
import { asParsed, craft, hexId } from '../event-arbitrary.ts'
import { idsOf, naiveFingerprint, type OpenWorld } from './world.ts'

export function transactions<Tx>(name: string, open: OpenWorld<Tx>): void {
  describe(`event store ${name}: transactions`, () => {
    it('tells listeners after the commit what was accepted, in order, with its seq', async () => {
      await using world = await open()
      const heard: [string, string, number][] = []
      const listening = world.store.onAccepted((events, raws, seqs) => {
        for (const [at, event] of events.entries()) heard.push([event.id, raws[at]!, seqs[at]!])
      })
      world.store.onAccepted(() => {
        throw new Error('a broken listener')
      })
      const list = [craft({ id: hexId(1) }), craft({ id: hexId(2), kind: 20_000 }), craft({ id: hexId(3) })]
      await world.transaction(async (tx) => {
        await world.store.putIn(tx, list.slice(0, 2).map(asParsed))
        await world.store.putIn(tx, list.map(asParsed))
        assert.deepEqual(heard, [])
      })
      const seqs = new Map((await world.store.get(list.map(({ id }) => id))).map(({ id, seq }) => [id, seq]))
      const expected = [list[0]!, list[1]!, list[1]!, list[2]!]
      assert.deepEqual(
        heard,
        expected.map((event) => [event.id, JSON.stringify(event), seqs.get(event.id) ?? 0]),
      )
      listening[Symbol.dispose]()
      await world.store.put([asParsed(craft({ id: hexId(4) }))])
      assert.equal(heard.length, 4)
    })

    it('a transaction that fails leaves no event, no word to listeners and no trace in the fingerprint', async () => {
      await using world = await open()
      const { store } = world
      let heard = 0
      using _ = store.onAccepted((events) => {
        heard += events.length
      })
      await store.put([asParsed(craft({ id: hexId(1), kind: 0 }))])
      const before = await store.fingerprint({}, everything)
      const failing = world.transaction(async (tx) => {
        await store.putIn(tx, [asParsed(craft({ id: hexId(2), kind: 0, created_at: 2_000 }))])
        throw new Error('changed my mind')
      })
      const other = store.put([asParsed(craft({ id: hexId(3) }))])
      await assert.rejects(failing, /changed my mind/)
      await other
      assert.equal(heard, 2)
      assert.deepEqual(await idsOf(store), [hexId(1), hexId(3)].sort())
      const now = await store.fingerprint({}, everything)
      assert.notDeepEqual(now, before)
      assert.deepEqual(now, naiveFingerprint([{ id: hexId(1) }, { id: hexId(3) }]))
    })

    it('never gives a seq twice, also after the newest event was removed', async () => {
      await using world = await open()
      await world.store.put([
        asParsed(craft({ id: hexId(1) })),
        asParsed(craft({ id: hexId(2), tags: [['expiration', '101']] })),
      ])
      assert.equal(await world.store.lastSeq(), 2)
      world.clock.jump(2_000)
      assert.equal(await world.store.sweep(), 1)
      const reopened = await world.reopen(world.config)
      await reopened.store.put([asParsed(craft({ id: hexId(3) }))])
      assert.equal((await reopened.store.get([hexId(3)]))[0]?.seq, 3)
      await reopened[Symbol.asyncDispose]()
    })

    it('K1 what put resolved for is there when the store is opened again', async () => {
      await using world = await open()
      const list = Array.from({ length: 50 }, (_, at) => craft({ id: hexId(at), created_at: at }))
      await world.store.put(list.map(asParsed))
      const reopened = await world.reopen(world.config)
      assert.deepEqual(await idsOf(reopened.store), list.map(({ id }) => id).sort())
      assert.deepEqual(await reopened.store.fingerprint({}, everything), naiveFingerprint(list))
      await reopened[Symbol.asyncDispose]()
    })
  })
}
