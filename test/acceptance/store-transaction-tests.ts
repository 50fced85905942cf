import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { peerId } from '../../src/kernel/peer.ts'
import { settle } from '../helpers/fake-clock.ts'
import { peer, type StoreSetup } from './store-setup.ts'

const p = peerId('p')

export function transactionTests<Tx>(setup: StoreSetup<Tx>): void {
  it('answers what the work answers, whether it returns or resolves', async () => {
    await using world = await setup()
    const { store } = world
    assert.equal(await store.transaction(() => 1), 1)
    assert.equal(await store.transaction(async () => 2), 2)
    assert.equal(await store.read(() => 3), 3)
    assert.equal(await store.read(async () => 4), 4)
  })

  it('K1 what a transaction wrote is there when it resolves, and after a restart', async () => {
    await using world = await setup()
    const { store } = world
    await store.transaction((tx) => store.peers.put(tx, peer('p', { name: 'one' })))
    assert.equal((await store.read((tx) => store.peers.get(tx, p)))?.name, 'one')
    const again = await world.restart()
    assert.equal((await again.read((tx) => again.peers.get(tx, p)))?.name, 'one')
  })

  it('of a failing transaction nothing stays, and the caller gets its error', async () => {
    await using world = await setup()
    const { store } = world
    const failure = new Error('changed my mind')
    const failing = store.transaction(async (tx) => {
      await store.peers.put(tx, peer('p'))
      throw failure
    })
    await assert.rejects(failing, (error) => error === failure)
    const throwing = store.transaction(() => {
      throw failure
    })
    await assert.rejects(throwing, (error) => error === failure)
    assert.deepEqual(await store.read((tx) => store.peers.list(tx)), [])
    await store.transaction((tx) => store.peers.put(tx, peer('p')))
    assert.equal((await store.read((tx) => store.peers.list(tx))).length, 1)
  })

  it('of transactions that wait together, those that fail are rolled back alone', async () => {
    await using world = await setup()
    const { store } = world
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ fails: fc.boolean(), waits: fc.boolean() }), { minLength: 1, maxLength: 12 }),
        async (plans) => {
          await store.transaction(async (tx) => {
            for (const { id } of await store.peers.list(tx)) await store.peers.remove(tx, id)
          })
          const settled = await Promise.allSettled(
            plans.map(({ fails, waits }, index) =>
              store.transaction(async (tx) => {
                await store.peers.put(tx, peer(`p${index}`))
                if (waits) await settle()
                if (fails) throw new Error('no')
              }),
            ),
          )
          assert.deepEqual(
            settled.map(({ status }) => status),
            plans.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
          )
          const kept = plans.flatMap(({ fails }, index) => (fails ? [] : [`p${index}`]))
          const stored = await store.read((tx) => store.peers.list(tx))
          assert.deepEqual(stored.map(({ id }) => String(id)).toSorted(), kept.toSorted())
        },
      ),
      { numRuns: 25 },
    )
  })

  it('runs transactions one after the other, in the order they were asked for, also while one waits', async () => {
    await using world = await setup()
    const { store } = world
    await store.transaction((tx) => store.peers.put(tx, peer('p', { name: '0' })))
    const seen: string[] = []
    const increment = (step: number) =>
      store.transaction(async (tx) => {
        const before = (await store.peers.get(tx, p))!.name
        await settle()
        seen.push(`${step} sees ${before}`)
        await store.peers.put(tx, peer('p', { name: String(Number(before) + 1) }))
      })
    await Promise.all([1, 2, 3, 4, 5].map(increment))
    assert.deepEqual(seen, ['1 sees 0', '2 sees 1', '3 sees 2', '4 sees 3', '5 sees 4'])
  })

  it('reads neither wait for an open transaction nor see it', async () => {
    await using world = await setup()
    const { store } = world
    const started = Promise.withResolvers<void>()
    const hold = Promise.withResolvers<void>()
    const writing = store.transaction(async (tx) => {
      await store.peers.put(tx, peer('p'))
      started.resolve()
      await hold.promise
    })
    await started.promise
    assert.deepEqual(await store.read((tx) => store.peers.list(tx)), [])
    hold.resolve()
    await writing
    assert.equal((await store.read((tx) => store.peers.list(tx))).length, 1)
  })

  it('a read keeps its snapshot while others commit', async () => {
    await using world = await setup()
    const { store } = world
    await store.transaction((tx) => store.peers.put(tx, peer('p', { name: 'before' })))
    const names = await store.read(async (tx) => {
      // Committed after the read began, before it first looked.
      await store.transaction((write) => store.peers.put(write, peer('p', { name: 'after' })))
      const first = await store.peers.get(tx, p)
      await store.transaction((write) => store.peers.put(write, peer('q')))
      return [first?.name, (await store.peers.list(tx)).length]
    })
    assert.deepEqual(names, ['before', 1])
    assert.equal((await store.read((tx) => store.peers.get(tx, p)))?.name, 'after')
  })

  it('writing in a read fails and changes nothing, and reading goes on', async () => {
    await using world = await setup()
    const { store } = world
    await assert.rejects(store.read((tx) => store.peers.put(tx, peer('p'))))
    assert.deepEqual(await store.read((tx) => store.peers.list(tx)), [])
  })

  it('a signal takes back a transaction that waits, and leaves one that runs alone', async () => {
    await using world = await setup()
    const { store } = world
    const started = Promise.withResolvers<void>()
    const hold = Promise.withResolvers<void>()
    const stop = new AbortController()
    const running = store.transaction(
      async (tx) => {
        started.resolve()
        await hold.promise
        await store.peers.put(tx, peer('ran'))
      },
      { signal: stop.signal },
    )
    await started.promise
    const waiting = store.transaction((tx) => store.peers.put(tx, peer('waited')), { signal: stop.signal })
    stop.abort(new Error('never mind'))
    await assert.rejects(waiting, /never mind/)
    hold.resolve()
    await running
    await assert.rejects(
      store.transaction((tx) => store.peers.put(tx, peer('late')), { signal: stop.signal }),
      /never mind/,
    )
    const stored = await store.read((tx) => store.peers.list(tx))
    assert.deepEqual(
      stored.map(({ name }) => name),
      ['ran'],
    )
  })

  it('K11 closing finishes the transactions that wait, and refuses new ones', async () => {
    await using world = await setup()
    const { store } = world
    const writes = Array.from({ length: 20 }, (_, index) =>
      store.transaction((tx) => store.peers.put(tx, peer(`p${index}`))),
    )
    const restarted = world.restart()
    await Promise.all(writes)
    const again = await restarted
    assert.equal((await again.read((tx) => again.peers.list(tx))).length, 20)
    await assert.rejects(store.transaction(() => {}))
    await assert.rejects(store.read(() => {}))
  })
}
