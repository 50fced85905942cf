import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { startGitServer, withoutGit } from '../../../../test/helpers/git-server.ts'
import { announceGit, gitWorld, signState } from '../../../../test/helpers/git-world.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import { everything } from '../event-store.ts'

const real = { skip: withoutGit }
const main = 'refs/heads/main'
const absent = 'd'.repeat(40)

test(
  'P-84 what waits for git data is answered to nobody, and a sync does not ask for it again',
  real,
  async () => {
    await using here = await gitWorld()
    const owner = newAuthor()
    await here.offer(announceGit(owner, []))
    const state = signState(owner, { [main]: absent })
    assert.equal((await here.offer(state)).outcome, 'held')
    const limits = { defaultLimit: 10, maxLimit: 10, visibility: everything }
    const { events } = await here.events.query([{ ids: [state.id] }], limits)
    assert.deepEqual(events, [])
    assert.deepEqual([...(await here.hold.held([state.id]))], [state.id])
  },
)

test(
  'P-85 a state given up after half an hour is not held again for a sync, but for its author it is',
  real,
  async () => {
    const clock = new FakeClock()
    await using here = await gitWorld({ clock })
    const owner = newAuthor(() => Math.floor(clock.now() / 1_000))
    await here.offer(announceGit(owner, []))
    const state = signState(owner, { [main]: absent })
    assert.equal((await here.offer(state)).outcome, 'held')
    clock.jump(1_799_000)
    await here.hold.sweep()
    assert.equal((await here.offer(state)).outcome, 'held', 'its half hour is not over')
    clock.jump(2_000)
    assert.deepEqual(await here.hold.sweep(), [state.id])
    // Another one that waits for the same name is no reason to begin anew with this one.
    const next = signState(owner, { [main]: 'e'.repeat(40) })
    assert.equal((await here.offer(next)).outcome, 'held')
    await clock.advance(5_000)
    assert.equal((await here.offer(state)).outcome, 'rejected')
    assert.equal((await here.offer(state, 'client')).outcome, 'held')
  },
)

test('P-88 only its own author can take back what waits', real, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const [first, second] = [source.commit('main', 'one'), source.commit('other', 'two')]
  await using here = await gitWorld()
  const [owner, contributor] = [newAuthor(), newAuthor()]
  await here.offer(announceGit(owner, [server.url('tool')]))
  const pull = (commit: string) =>
    contributor.write({
      kind: 1_618,
      tags: [
        ['a', `30617:${owner.pubkey}:tool`],
        ['c', commit],
      ],
    })
  const [kept, gone] = [pull(first), pull(second)]
  for (const event of [kept, gone]) assert.equal((await here.offer(event)).outcome, 'held')
  await here.offer(newAuthor().write({ kind: 5, tags: [['e', kept.id]] }))
  await here.offer(contributor.write({ kind: 5, tags: [['e', gone.id]] }))
  await here.data.run(owner.pubkey, 'tool')
  await here.untilStored(kept)
  const none = await here.offer(gone)
  assert.deepEqual([none.outcome, none.accepted], ['deleted', false])
  assert.equal(await here.stored(gone), false)
})

test(
  'P-86 P-87 announcements do not wait for git data: a newer one replaces the older at once, an older one nothing',
  real,
  async () => {
    await using here = await gitWorld()
    const owner = newAuthor()
    const now = Math.floor(Date.now() / 1_000)
    const first = announceGit(owner, [], { at: now })
    const next = announceGit(owner, ['https://other.org/x.git'], { at: now + 1 })
    const old = announceGit(owner, [], { at: now - 10 })
    assert.equal((await here.offer(first)).outcome, 'stored')
    assert.equal((await here.offer(next)).outcome, 'stored')
    assert.equal((await here.offer(old)).outcome, 'superseded')
    assert.deepEqual([await here.stored(first), await here.stored(next)], [false, true])
  },
)
