import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { silentLogger } from '../../../kernel/logger.ts'
import { createSqliteStore } from '../../../stores/sqlite/sqlite-store.ts'
import type { NostrEvent } from '../event.ts'
import { createSqliteEventHold } from '../event-hold.sqlite.ts'
import { createSqliteEventStore } from '../event-store.sqlite.ts'
import { HoldRelease } from '../hold-release.ts'
import { createIngest } from '../ingest.ts'
import { defaultLimits } from '../limits.ts'
import { createInlineVerifier } from '../verifier.inline.ts'
import { createWritePolicy } from '../write-policy.ts'
import { npubOf } from './announcement.ts'
import { RepositoryPolicy, type RepositoryPolicyOptions } from './repository-policy.ts'

const domain = 'git.example.org'
const bounds = { maxEvents: 1_000, maxBytes: 1e7, maxPerAuthor: 500, coldSeconds: 604_800, maxCold: 1_000 }
const noArchive = { all: false, list: [], services: [], readOnly: false }

async function world(options: Partial<RepositoryPolicyOptions> = {}) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const clock = new FakeClock()
  const store = opening.use(await createSqliteStore({ dir: folder.path }))
  const common = { store, clock, log: silentLogger }
  const events = opening.use(await createSqliteEventStore({ ...common, relayUrls: [], restrictedKinds: [] }))
  const hold = await createSqliteEventHold({ store, clock, bounds })
  const rules = new RepositoryPolicy({
    store: events,
    domain,
    archive: noArchive,
    repositoryAllow: [],
    repositoryDeny: [],
    authorDeny: new Set(),
    holdSeconds: 600,
    ...options,
  })
  const policy = createWritePolicy({ limits: defaultLimits, more: [rules.policy] })
  const verifier = createInlineVerifier()
  const ingest = createIngest({ store: events, verifier, policy, limits: defaultLimits, clock, hold })
  opening.use(new HoldRelease({ hold, store: events, ingest, clock, log: silentLogger, sweepMs: 60_000 }))
  const stack = opening.move()
  const now = () => Math.floor(clock.now() / 1_000)
  return {
    clock,
    hold,
    author: () => newAuthor(now),
    offer: async (event: NostrEvent, source: 'client' | 'sync' = 'sync') =>
      (await ingest.accept([JSON.stringify(event)], { source, remote: 'test' }))[0]!,
    stored: async (event: NostrEvent) => (await events.known([event.id])).size === 1,
    /** Resolves once the event is stored; woken by the store. */
    untilStored: async (event: NostrEvent) => {
      const came = Promise.withResolvers<void>()
      using _listener = events.onAccepted((accepted) => {
        if (accepted.some(({ id }) => id === event.id)) came.resolve()
      })
      if ((await events.known([event.id])).size === 0) await came.promise
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const announce = (author: Author, d = 'tool', tags: string[][] = [], at?: number) =>
  author.write({
    kind: 30_617,
    tags: [
      ['d', d],
      ['relays', 'wss://other.org', `wss://${domain}`],
      ['clone', `https://${domain}/${npubOf(author.pubkey)}/${encodeURIComponent(d)}.git`],
      ...tags,
    ],
    ...(at !== undefined && { created_at: at }),
  })
const elsewhere = (author: Author, d = 'tool', tags: string[][] = []) =>
  author.write({
    kind: 30_617,
    tags: [['d', d], ['relays', 'wss://other.org'], ['clone', 'https://other.org/x.git'], ...tags],
  })
const state = (author: Author, d = 'tool') =>
  author.write({
    kind: 30_618,
    tags: [
      ['d', d],
      ['refs/heads/main', 'a'.repeat(40)],
    ],
  })
const issue = (author: Author, owner: Author, d = 'tool') =>
  author.write({ kind: 1_621, tags: [['a', `30617:${owner.pubkey}:${d}`]] })

test('P-78 an announcement that does not list this service in both tags is not stored, one that does is', async () => {
  await using w = await world()
  const [alice, bob] = [w.author(), w.author()]
  assert.equal((await w.offer(announce(alice))).outcome, 'stored')
  const given = elsewhere(bob, 'other')
  const answer = await w.offer(given)
  assert.equal(answer.outcome, 'held')
  assert.equal(answer.accepted, false)
  assert.match(
    answer.reason,
    /^restricted: announcement must list this service \(git\.example\.org\) in both/,
  )
  assert.equal(await w.stored(given), false)
})

test('what belongs to a stored repository or thread is stored, what belongs to nothing is refused', async () => {
  await using w = await world()
  const [alice, bob] = [w.author(), w.author()]
  const repository = announce(alice)
  await w.offer(repository)
  const root = issue(bob, alice)
  const comment = alice.write({
    kind: 1_111,
    tags: [
      ['E', root.id],
      ['e', root.id],
    ],
  })
  const quote = bob.write({ kind: 1, tags: [['q', comment.id]] })
  const scoped = bob.write({ kind: 1_111, tags: [['A', `30617:${alice.pubkey}:tool`]] })
  for (const event of [root, comment, quote, scoped]) assert.equal((await w.offer(event)).outcome, 'stored')
  const lunch = await w.offer(bob.write({ content: 'lunch' }), 'client')
  assert.deepEqual([lunch.outcome, lunch.code], ['rejected', 'event/unrelated'])
  assert.equal((await w.offer(bob.write({ kind: 5, tags: [['e', root.id]] }))).outcome, 'stored')
  assert.equal((await w.offer(bob.write({ kind: 10_317, tags: [['g', 'wss://x.org']] }))).outcome, 'stored')
})

test('P-82 a whole thread that comes before its repository is stored in order as soon as that is here', async () => {
  await using w = await world()
  const [alice, bob] = [w.author(), w.author()]
  const root = issue(bob, alice)
  const comment = alice.write({ kind: 1_111, tags: [['E', root.id]] })
  const reaction = bob.write({ kind: 7, tags: [['e', comment.id]] })
  for (const event of [reaction, comment, root]) assert.equal((await w.offer(event)).outcome, 'held')
  assert.deepEqual([...(await w.hold.held([root.id, comment.id]))].length, 2, 'none of it is fetched again')
  await w.offer(announce(alice))
  for (const event of [root, comment, reaction]) await w.untilStored(event)
})

test('P-80 a maintainer is announced here too, whichever of the two announcements comes first', async () => {
  for (const order of ['owner first', 'maintainer first']) {
    await using w = await world()
    const [alice, bob, carol] = [w.author(), w.author(), w.author()]
    const owners = announce(alice, 'tool', [['maintainers', bob.pubkey]])
    const maintainers = elsewhere(bob, 'tool', [['maintainers', carol.pubkey]])
    const next = elsewhere(carol)
    const stranger = elsewhere(w.author())
    const events = [owners, maintainers, next, stranger]
    for (const event of order === 'owner first' ? events : events.reverse()) await w.offer(event)
    for (const event of [owners, maintainers, next]) await w.untilStored(event)
    assert.equal(await w.stored(stranger), false, order)
  }
})

test('P-81 P-83 a state waits for the announcement that makes its author a maintainer, and is never served without', async () => {
  await using w = await world()
  const [alice, bob, mallory] = [w.author(), w.author(), w.author()]
  const [early, forged] = [state(bob), state(mallory)]
  for (const event of [early, forged]) assert.equal((await w.offer(event)).outcome, 'held')
  await w.offer(announce(alice, 'tool', [['maintainers', bob.pubkey]]))
  await w.untilStored(early)
  assert.equal(await w.stored(forged), false)
  assert.equal((await w.offer(state(alice))).outcome, 'stored')
})

test('P-79 nothing of a denied author is stored or held, of whatever kind', async () => {
  const bad = newAuthor(() => 1_767_225_600)
  await using w = await world({ authorDeny: new Set([bad.pubkey]) })
  for (const event of [announce(bad), state(bad), bad.write({ kind: 5 }), issue(bad, bad)]) {
    assert.equal((await w.offer(event)).outcome, 'rejected')
    assert.equal((await w.hold.held([event.id])).size, 0)
  }
})

test('P-18 in archive mode announcements that do not list this service are kept: all, by name, or of a service', async () => {
  const alice = newAuthor(() => 1_767_225_600)
  const npub = npubOf(alice.pubkey)
  const cases: [Partial<RepositoryPolicyOptions['archive']>, string][] = [
    [{ all: true }, 'stored'],
    [{ list: ['tool'] }, 'stored'],
    [{ list: [npub] }, 'stored'],
    [{ list: [`${npub}/tool`] }, 'stored'],
    [{ list: [`${npub}/other`] }, 'held'],
    [{ services: ['grasp.org'] }, 'stored'],
    [{ services: ['grasp.org.evil.org'] }, 'held'],
  ]
  const given = alice.write({
    kind: 30_617,
    tags: [
      ['d', 'tool'],
      ['relays', 'wss://grasp.org'],
      ['clone', `https://grasp.org/${npub}/tool.git`],
    ],
  })
  for (const [archive, outcome] of cases) {
    await using w = await world({ archive: { ...noArchive, ...archive } })
    assert.equal((await w.offer(given)).outcome, outcome, JSON.stringify(archive))
  }
})

test('lists of repositories: a denied one is not kept although it lists us, and of others only the allowed', async () => {
  for (const [options, outcome] of [
    [{ repositoryDeny: ['tool'] }, 'rejected'],
    [{ repositoryAllow: ['other'] }, 'rejected'],
    [{ repositoryAllow: ['tool'] }, 'stored'],
    [{ archive: { ...noArchive, readOnly: true } }, 'held'],
  ] as const) {
    await using w = await world(options)
    assert.equal((await w.offer(announce(w.author()))).outcome, outcome, JSON.stringify(options))
  }
})

test('P-90 nonsense among the maintainers harms nobody', async () => {
  await using w = await world()
  const [alice, bob] = [w.author(), w.author()]
  await w.offer(announce(alice, 'tool', [['maintainers', 'nonsense', 'f'.repeat(63), bob.pubkey]]))
  assert.equal((await w.offer(state(bob))).outcome, 'stored')
})

test('what waits is given up after its time, and its sender may offer it again', async () => {
  await using w = await world()
  const orphan = issue(w.author(), w.author())
  await w.offer(orphan)
  await w.clock.advance(660_000)
  while ((await w.hold.status()).cold === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await w.offer(orphan, 'sync')).outcome, 'rejected')
  assert.equal((await w.offer(orphan, 'client')).outcome, 'held')
})
