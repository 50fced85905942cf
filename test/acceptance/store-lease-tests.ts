import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { linkId } from '../../src/kernel/link.ts'
import type { Lease } from '../../src/kernel/store.ts'
import { code, link, type StoreSetup, type StoreWorld, seed } from './store-setup.ts'

const l = linkId('l')
const ttl = 10_000

export function leaseTests<Tx>(setup: StoreSetup<Tx>): void {
  const claim = ({ store }: StoreWorld<Tx>, owner: string) =>
    store.transaction((tx) => store.jobs.claim(tx, l, owner, ttl))

  it('K5 an owner whose lease expired cannot commit: what it wrote with it is gone', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const stale = (await claim(world, 'slow'))!
    await world.advance(ttl)
    const write = (lease: Lease, checkpoint: string) =>
      store.transaction(async (tx) => {
        await store.links.saveCheckpoint(tx, l, checkpoint)
        await store.jobs.assertOwned(tx, lease)
      })
    // Nobody took it over yet: expired is expired.
    await assert.rejects(write(stale, 'late'), code('lease/lost'))
    const fresh = (await claim(world, 'quick'))!
    assert.ok(fresh.fence > stale.fence)
    await write(fresh, 'right')
    await assert.rejects(write(stale, 'later'), code('lease/lost'))
    assert.equal(await store.read((tx) => store.links.checkpoint(tx, l)), 'right')
  })

  it('K5 a lease is of no use to another owner, for another link, or with another fence', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l', 'm')
    const lease = (await claim(world, 'me'))!
    await store.transaction((tx) => store.jobs.assertOwned(tx, lease))
    const forged = [
      { ...lease, owner: 'you' },
      { ...lease, link: linkId('m') },
      { ...lease, fence: lease.fence + 1 },
      { ...lease, fence: lease.fence - 1 },
    ]
    for (const each of forged) {
      await assert.rejects(
        store.transaction((tx) => store.jobs.assertOwned(tx, each)),
        code('lease/lost'),
      )
      assert.equal(await store.transaction((tx) => store.jobs.renew(tx, each, ttl)), false)
      await store.transaction((tx) => store.jobs.release(tx, each))
    }
    await store.transaction((tx) => store.jobs.assertOwned(tx, lease))
  })

  it('K6 a link is free again when its lease expires, and not before', async () => {
    await using world = await setup()
    await seed(world.store, 'l')
    assert.notEqual(await claim(world, 'dead'), undefined)
    await world.advance(ttl - 1)
    assert.equal(await claim(world, 'next'), undefined)
    await world.advance(1)
    assert.equal((await claim(world, 'next'))?.owner, 'next')
  })

  it('K6 a restart frees what the process owned, by its name', async () => {
    await using world = await setup()
    await seed(world.store, 'l')
    const former = (await claim(world, 'me'))!
    const store = await world.restart()
    const lease = await store.transaction(async (tx) => {
      await store.jobs.releaseAll(tx, 'me')
      return store.jobs.claim(tx, l, 'me', ttl)
    })
    assert.ok(lease !== undefined && lease.fence > former.fence)
    await assert.rejects(
      store.transaction((tx) => store.jobs.assertOwned(tx, former)),
      code('lease/lost'),
    )
  })

  it('releaseAll leaves other owners alone', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const lease = (await claim(world, 'me'))!
    await store.transaction((tx) => store.jobs.releaseAll(tx, 'you'))
    await store.transaction((tx) => store.jobs.assertOwned(tx, lease))
    await store.transaction((tx) => store.jobs.releaseAll(tx, 'me'))
    await assert.rejects(
      store.transaction((tx) => store.jobs.assertOwned(tx, lease)),
      code('lease/lost'),
    )
  })

  it('a fence is never given twice, not even when the link was removed and made again', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const first = (await claim(world, 'me'))!
    await store.transaction((tx) => store.links.remove(tx, l))
    await assert.rejects(claim(world, 'me'), code('config/invalid'))
    await store.transaction((tx) => store.links.put(tx, link('l', 'p')))
    const second = (await claim(world, 'me'))!
    assert.ok(second.fence > first.fence)
    await assert.rejects(
      store.transaction((tx) => store.jobs.assertOwned(tx, first)),
      code('lease/lost'),
    )
  })

  it('K5 whatever owners do, at most one can commit at any time, and fences grow', async () => {
    const owners = ['a', 'b', 'c'] as const
    const action = fc.record({
      kind: fc.constantFrom('claim', 'renew', 'release', 'commit', 'wait', 'releaseAll'),
      owner: fc.constantFrom(...owners),
      ms: fc.constantFrom(1, ttl / 2, ttl),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        await using world = await setup()
        const { store } = world
        await seed(store, 'l')
        const held = new Map<string, Lease>()
        let holder: { lease: Lease; until: number } | undefined
        let now = 0
        let fence = -1
        for (const { kind, owner, ms } of actions) {
          const lease = held.get(owner)
          const valid = holder !== undefined && holder.until > now
          const owns = valid && lease !== undefined && holder?.lease.fence === lease.fence
          if (kind === 'wait') {
            await world.advance(ms)
            now += ms
          } else if (kind === 'claim') {
            const claimed = await claim(world, owner)
            assert.equal(claimed === undefined, valid)
            if (claimed === undefined) continue
            assert.ok(claimed.fence > fence)
            fence = claimed.fence
            held.set(owner, claimed)
            holder = { lease: claimed, until: now + ttl }
          } else if (kind === 'releaseAll') {
            await store.transaction((tx) => store.jobs.releaseAll(tx, owner))
            if (holder?.lease.owner === owner) holder = undefined
          } else if (lease !== undefined && kind === 'renew') {
            assert.equal(await store.transaction((tx) => store.jobs.renew(tx, lease, ttl)), owns)
            if (owns) holder = { lease, until: now + ttl }
          } else if (lease !== undefined && kind === 'release') {
            await store.transaction((tx) => store.jobs.release(tx, lease))
            if (owns) holder = undefined
          } else if (lease !== undefined) {
            const committed = store.transaction((tx) => store.jobs.assertOwned(tx, lease))
            if (owns) await committed
            else await assert.rejects(committed, code('lease/lost'))
          }
        }
      }),
      { numRuns: 20 },
    )
  })
}
