import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { FakeClock, settle } from '../../../../test/helpers/fake-clock.ts'
import { git, startGitServer, withoutGit } from '../../../../test/helpers/git-server.ts'
import { announceGit, gitWorld, serviceDomain, signState } from '../../../../test/helpers/git-world.ts'
import { newAuthor } from '../../../../test/peers/author.ts'

const real = { skip: withoutGit }
const main = 'refs/heads/main'
const absent = 'd'.repeat(40)
const now = Math.floor(Date.now() / 1_000)

/** Branches and tags, and everything else. */
const refsOf = (path: string): Record<string, string> =>
  Object.fromEntries(
    git(path, ['for-each-ref', '--format=%(refname) %(objectname)'])
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ') as [string, string]),
  )

test('P-91 a state waits until its objects are here, and its sender is told so', real, async () => {
  await using server = await startGitServer()
  const commit = server.repository('tool').commit('main', 'one')
  await using here = await gitWorld()
  const owner = newAuthor()
  assert.equal((await here.offer(announceGit(owner, [server.url('tool')]))).outcome, 'stored')
  const state = signState(owner, { [main]: commit, HEAD: `ref: ${main}` })
  const told = await here.offer(state, 'client')
  assert.deepEqual(
    [told.outcome, told.accepted, told.reason],
    ['held', true, "purgatory: won't be served until git data arrives"],
  )
  assert.equal(await here.stored(state), false)
  assert.equal(await here.data.run(owner.pubkey, 'tool'), true)
  await here.untilStored(state)
  assert.deepEqual(refsOf(here.path(owner)), { [main]: commit })
  assert.deepEqual([here.data.status.fetches.complete, here.data.status.objects], [1, 1])
})

test(
  'P-91 a state is released when its objects came from several servers, none of which has all',
  real,
  async () => {
    await using one = await startGitServer()
    await using two = await startGitServer()
    const first = one.repository('tool').commit('main', 'one')
    const second = two.repository('tool').commit('dev', 'two')
    await using here = await gitWorld()
    const owner = newAuthor()
    await here.offer(announceGit(owner, [one.url('tool'), two.url('tool')]))
    const state = signState(owner, { [main]: first, 'refs/heads/dev': second })
    await here.offer(state)
    assert.equal(await here.data.run(owner.pubkey, 'tool'), true)
    await here.untilStored(state)
    assert.deepEqual(refsOf(here.path(owner)), { 'refs/heads/dev': second, [main]: first })
  },
)

test(
  'P-91 a state is not released while one of its objects is missing, and what came is kept',
  real,
  async () => {
    await using server = await startGitServer()
    const commit = server.repository('tool').commit('main', 'one')
    await using here = await gitWorld()
    const owner = newAuthor()
    await here.offer(announceGit(owner, [server.url('tool')]))
    const state = signState(owner, { [main]: commit, 'refs/heads/gone': absent })
    await here.offer(state)
    assert.equal(await here.data.run(owner.pubkey, 'tool'), false)
    assert.equal(await here.stored(state), false)
    assert.deepEqual(refsOf(here.path(owner)), {})
    const whole = signState(owner, { [main]: commit }, { at: now + 1 })
    assert.equal((await here.offer(whole)).outcome, 'stored', 'its object came with the other state')
  },
)

test('P-83 a state by somebody who may not speak for the repository moves nothing', real, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const [good, bad] = [source.commit('main', 'one'), source.commit('evil', 'two')]
  await using here = await gitWorld()
  const owner = newAuthor()
  await here.offer(announceGit(owner, [server.url('tool')]))
  await here.offer(signState(owner, { [main]: good, 'refs/heads/evil': bad }))
  await here.data.run(owner.pubkey, 'tool')
  const forged = signState(newAuthor(), { [main]: bad }, { at: now + 10 })
  assert.equal((await here.offer(forged)).accepted, false)
  await here.data.run(owner.pubkey, 'tool')
  assert.equal(refsOf(here.path(owner))[main], good)
  assert.equal(await here.stored(forged), false)
})

test(
  'P-93 refs become those of the state: gone ones are deleted, HEAD is set, refs of pull requests stay',
  real,
  async () => {
    await using server = await startGitServer()
    const source = server.repository('tool')
    const first = source.commit('main', 'one')
    const second = source.commit('main', 'two', first)
    await using here = await gitWorld()
    const owner = newAuthor()
    await here.offer(announceGit(owner, [server.url('tool')]))
    const pull = owner.write({
      kind: 1_618,
      tags: [
        ['a', `30617:${owner.pubkey}:tool`],
        ['c', first],
      ],
    })
    await here.offer(
      signState(owner, { [main]: first, 'refs/heads/a': first, 'refs/tags/v1': first }, { at: now - 10 }),
    )
    await here.offer(pull)
    await here.data.run(owner.pubkey, 'tool')
    await here.untilStored(pull)
    const path = here.path(owner)
    assert.equal(refsOf(path)['refs/heads/a'], first)
    const next = signState(owner, {
      'refs/heads/next': second,
      'refs/heads/a/b': second,
      'refs/heads/blob': git(source.gitDir, ['rev-parse', `${second}:file`]),
      'refs/heads/../../../escape': second,
      'refs/config/x': second,
      HEAD: 'ref: refs/heads/next',
    })
    await here.offer(next)
    await here.data.run(owner.pubkey, 'tool')
    assert.deepEqual(refsOf(path), {
      'refs/heads/a/b': second,
      'refs/heads/next': second,
      [`refs/nostr/${pull.id}`]: first,
    })
    assert.equal(git(path, ['symbolic-ref', 'HEAD']), 'refs/heads/next')
  },
)

test('P-93 names lead nowhere but into their folder', real, async () => {
  await using server = await startGitServer()
  const commit = server.repository('tool').commit('main', 'one')
  await using here = await gitWorld()
  const owner = newAuthor()
  const d = '.git;$(touch x) ü%2f..'
  await here.offer(announceGit(owner, [server.url('tool')], { d }))
  await here.offer(signState(owner, { [main]: commit }, { d }))
  assert.equal(await here.data.run(owner.pubkey, d), true)
  assert.equal(refsOf(here.path(owner, d))[main], commit)
  const [npub] = readdirSync(here.root).filter((name) => name !== '.incoming')
  assert.deepEqual(readdirSync(`${here.root}/${npub}`), [`${encodeURIComponent(d)}.git`])
  const long = newAuthor()
  await here.offer(announceGit(long, [], { d: 'x'.repeat(300) }))
  const state = signState(long, { [main]: absent }, { d: 'x'.repeat(300) })
  assert.equal((await here.offer(state)).outcome, 'stored', 'what no disk takes is kept as events alone')
})

test(
  'P-94 the newest state wins whatever came first; of equal ones the one with the lower id',
  real,
  async () => {
    await using server = await startGitServer()
    const source = server.repository('tool')
    const [first, second] = [source.commit('a', 'one'), source.commit('b', 'two')]
    await using here = await gitWorld()
    const [owner, other] = [newAuthor(), newAuthor()]
    await here.offer(announceGit(owner, [server.url('tool')], { tags: [['maintainers', other.pubkey]] }))
    const newest = signState(other, { [main]: second }, { at: now })
    const older = signState(owner, { [main]: first }, { at: now - 100 })
    for (const state of [newest, older]) assert.equal((await here.offer(state)).outcome, 'held')
    await here.data.run(owner.pubkey, 'tool')
    for (const state of [newest, older]) await here.untilStored(state)
    assert.equal(refsOf(here.path(owner))[main], second)
    const same = signState(owner, { [main]: first }, { at: now })
    await here.offer(same)
    await here.data.run(owner.pubkey, 'tool')
    assert.equal(refsOf(here.path(owner))[main], same.id < newest.id ? first : second)
  },
)

test(
  'P-94 a state is applied in the repository of every owner its author may speak for, by copies of one fetch',
  real,
  async () => {
    await using server = await startGitServer()
    const commit = server.repository('tool').commit('main', 'one')
    await using here = await gitWorld()
    const [alice, bob, eve] = [newAuthor(), newAuthor(), newAuthor()]
    await here.offer(announceGit(alice, [server.url('tool')], { tags: [['maintainers', bob.pubkey]] }))
    await here.offer(announceGit(bob, []))
    await here.offer(announceGit(eve, []))
    const state = signState(bob, { [main]: commit })
    await here.offer(state)
    for (const owner of [alice, bob, eve]) await here.data.run(owner.pubkey, 'tool')
    await here.untilStored(state)
    for (const owner of [alice, bob]) assert.equal(refsOf(here.path(owner))[main], commit)
    assert.equal(existsSync(here.path(eve)), false, 'he does not speak for a stranger of the same name')
    assert.equal(here.data.status.fetches.complete, 1)
    git(here.path(bob), ['fsck', '--full', '--strict'])
  },
)

test('P-95 this service never asks itself, and no address that may not be reached', real, async () => {
  await using server = await startGitServer()
  const commit = server.repository('tool').commit('main', 'one')
  const owner = newAuthor()
  const announcement = announceGit(owner, [server.url('tool')])
  for (const options of [{ isOurs: () => true }, { isAllowed: () => false }]) {
    await using here = await gitWorld(options)
    await here.offer(announcement)
    await here.offer(signState(owner, { [main]: commit }))
    assert.equal(await here.data.run(owner.pubkey, 'tool'), false)
    assert.deepEqual(server.requests, [])
  }
})

test('P-96 a host that no name leads to is left alone, and the others are asked', real, async () => {
  await using server = await startGitServer()
  const commit = server.repository('tool').commit('main', 'one')
  await using here = await gitWorld({ isAllowed: (address) => address !== '10.0.0.1' })
  const owner = newAuthor()
  await here.offer(
    announceGit(owner, ['http://10.0.0.1/tool.git', 'ssh://x/y', 'ext::sh -c x', server.url('tool')]),
  )
  const state = signState(owner, { [main]: commit })
  await here.offer(state)
  assert.equal(await here.data.run(owner.pubkey, 'tool'), true)
  const { fetches, naughty } = here.data.status
  assert.deepEqual([fetches.address, fetches.complete, naughty], [1, 1, 1])
})

test(
  'P-99 a pull request waits for its commit, from where its author says, and is served to every owner it is for',
  real,
  async () => {
    await using server = await startGitServer()
    const fork = server.repository('fork').commit('topic', 'change')
    await using here = await gitWorld()
    const [alice, bob, contributor] = [newAuthor(), newAuthor(), newAuthor()]
    await here.offer(announceGit(alice, [], { tags: [['maintainers', bob.pubkey]] }))
    await here.offer(announceGit(bob, []))
    const pull = contributor.write({
      kind: 1_618,
      tags: [
        ['a', `30617:${bob.pubkey}:tool`],
        ['c', fork],
        ['clone', server.url('fork')],
      ],
    })
    assert.equal((await here.offer(pull)).outcome, 'held')
    for (const owner of [bob, alice]) await here.data.run(owner.pubkey, 'tool')
    await here.untilStored(pull)
    for (const owner of [alice, bob])
      assert.deepEqual(refsOf(here.path(owner)), { [`refs/nostr/${pull.id}`]: fork })
  },
)

test("P-99 a stranger's pull request cannot take the room of the maintainers", real, async () => {
  await using server = await startGitServer()
  const noise = Buffer.from(Array.from({ length: 300_000 }, () => Math.floor(Math.random() * 256)))
  const fork = server.repository('fork').commit('topic', noise)
  const same = server.repository('tool').commit('main', noise)
  await using here = await gitWorld({ maxBytes: 1_000_000 })
  const owner = newAuthor()
  await here.offer(announceGit(owner, [server.url('tool')]))
  const pull = newAuthor().write({
    kind: 1_618,
    tags: [
      ['a', `30617:${owner.pubkey}:tool`],
      ['c', fork],
      ['clone', server.url('fork')],
    ],
  })
  await here.offer(pull)
  await here.data.run(owner.pubkey, 'tool')
  assert.equal(await here.stored(pull), false)
  assert.ok(here.data.status.fetches['too-big'] >= 1)
  const state = signState(owner, { [main]: same })
  await here.offer(state)
  await here.data.run(owner.pubkey, 'tool')
  await here.untilStored(state)
})

test(
  'P-100 what is stored is compared with its repository: lost refs and whole repositories come back',
  real,
  async () => {
    await using server = await startGitServer()
    const commit = server.repository('tool').commit('main', 'one')
    await using here = await gitWorld()
    const owner = newAuthor()
    await here.offer(announceGit(owner, [server.url('tool')]))
    const state = signState(owner, { [main]: commit })
    await here.offer(state)
    await here.data.run(owner.pubkey, 'tool')
    await here.untilStored(state)
    const path = here.path(owner)
    git(path, ['update-ref', 'refs/heads/stray', commit])
    git(path, ['update-ref', '-d', main])
    await here.data.run(owner.pubkey, 'tool')
    assert.deepEqual(refsOf(path), { [main]: commit })
    rmSync(path, { recursive: true })
    await here.data.run(owner.pubkey, 'tool')
    assert.deepEqual(refsOf(path), { [main]: commit })
  },
)

test('P-100 the audit at the start finds what was held before it, without anybody asking', real, async () => {
  await using server = await startGitServer()
  const commit = server.repository('tool').commit('main', 'one')
  await using here = await gitWorld()
  const owner = newAuthor()
  await here.offer(announceGit(owner, [server.url('tool')]))
  const state = signState(owner, { [main]: commit })
  await here.offer(state)
  here.data.start()
  await here.untilStored(state)
  assert.equal(refsOf(here.path(owner))[main], commit)
})

test('P-91 what a sync brings is fetched at once, as soon as it is held', real, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const commit = source.commit('main', 'one')
  await using here = await gitWorld()
  here.data.start()
  const owner = newAuthor()
  await here.offer(announceGit(owner, [server.url('tool')]))
  const state = signState(owner, { [main]: commit })
  assert.equal((await here.offer(state)).outcome, 'held')
  await here.untilStored(state)
  const older = signState(owner, { [main]: absent }, { at: now - 1_000 })
  assert.notEqual((await here.offer(older)).outcome, 'held', 'nothing is fetched for what is outdated')
})

test('P-92 symbolic and peeled refs need no object', real, async () => {
  await using here = await gitWorld()
  const owner = newAuthor()
  await here.offer(announceGit(owner, [`http://${serviceDomain}/x.git`]))
  const state = signState(owner, { 'refs/heads/x': `ref: ${main}`, 'refs/tags/v1^{}': absent })
  assert.equal((await here.offer(state)).outcome, 'stored')
})

test('P-100 every repository is looked at again each hour', real, async () => {
  const asked = { yet: false }
  await using server = await startGitServer(() => {
    asked.yet = true
    return false
  })
  const commit = server.repository('tool').commit('main', 'one')
  const clock = new FakeClock(Date.now())
  await using here = await gitWorld({ clock })
  const owner = newAuthor()
  await here.offer(announceGit(owner, [server.url('tool')]))
  const state = signState(owner, { [main]: commit })
  await here.offer(state)
  await here.data.run(owner.pubkey, 'tool')
  await here.untilStored(state)
  here.data.start()
  // The first look is at the start.
  while (here.data.status.running === 0) await clock.advance(100)
  while (here.data.status.queued > 0) await settle()
  rmSync(here.path(owner), { recursive: true })
  asked.yet = false
  const start = clock.monotonic()
  while (!asked.yet) await (here.data.status.running > 0 ? settle() : clock.advance(10_000))
  const passed = clock.monotonic() - start
  assert.ok(passed > 3_000_000, 'not before its hour')
})

test(
  'a push is expected for three minutes after what a client sent, before anybody is asked for it',
  real,
  async () => {
    const asked = { yet: false }
    await using server = await startGitServer(() => {
      asked.yet = true
      return false
    })
    const commit = server.repository('tool').commit('main', 'one')
    const clock = new FakeClock(Date.now())
    await using here = await gitWorld({ clock })
    const owner = newAuthor()
    await here.offer(announceGit(owner, [server.url('tool')]))
    here.data.start()
    while (here.data.status.running === 0) await clock.advance(100)
    while (here.data.status.queued > 0) await settle()
    const start = clock.monotonic()
    await here.offer(signState(owner, { [main]: commit }), 'client')
    while (!asked.yet) await (here.data.status.running > 0 ? settle() : clock.advance(1_000))
    assert.ok(clock.monotonic() - start >= 180_000)
  },
)
