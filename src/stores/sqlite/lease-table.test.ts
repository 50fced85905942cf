import assert from 'node:assert/strict'
import { it } from 'node:test'
import { code, seed } from '../../../test/acceptance/store-setup.ts'
import { FakeClock } from '../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { linkId } from '../../kernel/link.ts'
import { createSqliteStore } from './sqlite-store.ts'

const l = linkId('l')
const year = 365 * 24 * 3_600_000

it('K13 jumps of the wall clock neither end a lease nor prolong it', async () => {
  await using folder = await temporaryFolder()
  const clock = new FakeClock()
  await using store = await createSqliteStore({ dir: folder.path, clock })
  await seed(store, 'l')
  const claim = (owner: string) => store.transaction((tx) => store.jobs.claim(tx, l, owner, 10_000))
  for (const jump of [10 * year, -20 * year, 10 * year]) {
    const lease = (await claim('a'))!
    clock.jump(jump)
    assert.equal(await claim('b'), undefined)
    await store.transaction((tx) => store.jobs.assertOwned(tx, lease))
    await clock.advance(10_000)
    await assert.rejects(
      store.transaction((tx) => store.jobs.assertOwned(tx, lease)),
      code('lease/lost'),
    )
    const next = (await claim('b'))!
    await store.transaction((tx) => store.jobs.release(tx, next))
  }
})

it('K6 a lease of a former process is over at once, whoever owned it, as that process is gone', async () => {
  await using folder = await temporaryFolder()
  const open = () => createSqliteStore({ dir: folder.path, clock: new FakeClock() })
  const former = await open()
  await seed(former, 'l')
  const stale = (await former.transaction((tx) => former.jobs.claim(tx, l, 'a', 10 * year)))!
  await former[Symbol.asyncDispose]()
  await using store = await open()
  await assert.rejects(
    store.transaction((tx) => store.jobs.assertOwned(tx, stale)),
    code('lease/lost'),
  )
  assert.equal(await store.transaction((tx) => store.jobs.renew(tx, stale, 1)), false)
  assert.ok((await store.transaction((tx) => store.jobs.claim(tx, l, 'b', 1)))!.fence > stale.fence)
})
