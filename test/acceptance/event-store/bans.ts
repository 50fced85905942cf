import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything } from '../../../src/planes/events/event-store.ts'
import { asParsed, craft, hexId } from '../event-arbitrary.ts'
import { alice, bob, idsOf, type OpenWorld } from './world.ts'

export function bans<Tx>(name: string, open: OpenWorld<Tx>): void {
  describe(`event store ${name}: bans`, () => {
    const note = craft({ id: hexId(1), tags: [['t', 'x']] })
    const other = craft({ id: hexId(2), pubkey: bob })

    it('a banned event goes and stays away, however often it is offered, also after a restart', async () => {
      await using world = await open()
      await world.store.put([note, other].map(asParsed))
      await world.store.ban({ by: 'id', value: note.id }, 'spam')
      assert.deepEqual(await idsOf(world.store), [other.id])
      assert.equal(await world.store.count([{ '#t': ['x'] }], everything), 0)
      assert.equal((await world.store.fingerprint({}, everything)).count, 1)
      await using again = await world.reopen(world.config)
      assert.deepEqual(await again.store.put([note, other].map(asParsed)), ['banned', 'duplicate'])
      assert.deepEqual(await again.store.bans('id'), [{ by: 'id', value: note.id, reason: 'spam' }])
      assert.deepEqual(await again.store.bans('pubkey'), [])
    })

    it('all of a banned author goes and stays away, deletions and ephemeral events included', async () => {
      await using world = await open()
      const many = Array.from({ length: 2_500 }, (_, at) =>
        craft({ id: hexId(`many ${at}`), created_at: at }),
      )
      const deletion = craft({ id: hexId(3), kind: 5, tags: [['e', hexId(9)]] })
      await world.store.put([...many, deletion, other].map(asParsed))
      await world.store.ban({ by: 'pubkey', value: alice }, '')
      assert.deepEqual(await idsOf(world.store), [other.id])
      const ephemeral = craft({ id: hexId(4), kind: 20_001 })
      assert.deepEqual(await world.store.put([note, deletion, ephemeral].map(asParsed)), [
        'banned',
        'banned',
        'banned',
      ])
      assert.deepEqual(await idsOf(world.store), [other.id])
    })

    it('what is unbanned may come again, and peers that were refused it are heard again', async () => {
      await using world = await open()
      const target = { by: 'pubkey', value: alice } as const
      await world.store.ban(target, 'first')
      await world.store.ban(target, 'second')
      assert.deepEqual(await world.store.bans('pubkey'), [{ ...target, reason: 'second' }])
      assert.deepEqual(await world.store.put([asParsed(note)]), ['banned'])
      await world.transaction((tx) => world.store.refuseIn(tx, [note.id]))
      assert.equal(await world.store.unban(target), true)
      assert.equal(await world.store.unban(target), false)
      assert.deepEqual([...(await world.store.refused([note.id]))], [])
      assert.deepEqual(await world.store.put([asParsed(note)]), ['stored'])
    })
  })
}
