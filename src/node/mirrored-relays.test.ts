import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../test/helpers/fake-clock.ts'
import { hex, issueEvent, repositoryEvent, repositoryRef } from '../../test/helpers/git-events.ts'
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts'
import type { Link } from '../kernel/link.ts'
import { silentLogger } from '../kernel/logger.ts'
import { nextDelay } from '../kernel/retry.ts'
import { createSqliteEventStore } from '../planes/events/event-store.sqlite.ts'
import { gitProfile } from '../planes/events/proactive/git-profile.ts'
import type { MirrorDirectory, MirroredChunk } from '../planes/events/proactive/mirror-directory.ts'
import { outboxProfile } from '../planes/events/proactive/outbox-profile.ts'
import { ProfileRunner } from '../planes/events/proactive/profile-runner.ts'
import { type EventsCheckpoint, emptyCheckpoint, type Learned } from '../planes/events/sync/checkpoint.ts'
import { createSqliteStore } from '../stores/sqlite/sqlite-store.ts'
import { MirroredRelays, mirrorRetry } from './mirrored-relays.ts'

const url = 'wss://relay.example.org/'

async function world({ privateAddresses = false } = {}) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const store = opening.use(await createSqliteStore({ dir: folder.path }))
  const directory = new MirroredRelays({ store, privateAddresses, cancel: async () => {}, wake: () => {} })
  const stack = opening.move()
  const links = () => store.read((tx) => store.links.list(tx))
  return {
    store,
    directory,
    links,
    add: (layer: string, values: readonly string[], from: readonly MirroredChunk[] = [], drop = from) =>
      directory.change(gitProfile, { url, isBootstrap: false, add: [{ layer, values, from }], drop }),
    chunks: async () => (await directory.relays('git'))[0]?.chunks ?? [],
    peers: () => store.read((tx) => store.peers.list(tx)),
    save: (chosen: readonly Link[], checkpoint: EventsCheckpoint) =>
      store.transaction(async (tx) => {
        for (const { id } of chosen) await store.links.saveCheckpoint(tx, id, checkpoint)
      }),
    coverage: () =>
      store.read(async (tx) => {
        const all = await Promise.all(
          (await store.links.list(tx)).map(({ id }) => store.links.checkpoint(tx, id)),
        )
        return all.map((saved) => (saved as EventsCheckpoint | undefined)?.coverage)
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const covering = (from: number, to: number, learned?: Learned): EventsCheckpoint => ({
  ...emptyCheckpoint,
  coverage: [[from, to]],
  ...(learned && { learned }),
})

test('a chunk that is narrowed keeps what it had, merged ones what they share, and a new one begins with nothing', async () => {
  await using w = await world()
  await w.add('repositories', ['a', 'b'])
  await w.save(await w.links(), covering(0, 100))
  await w.add('repositories', ['a'], await w.chunks())
  assert.deepEqual(await w.coverage(), Array(3).fill([[0, 100]]))

  const before = new Set((await w.links()).map(({ id }) => id))
  await w.add('repositories', ['c'], [], [])
  const fresh = (await w.links()).filter(({ id }) => !before.has(id))
  assert.deepEqual((await w.coverage()).filter((one) => one === undefined).length, 3)
  await w.save(fresh, covering(50, 200))
  await w.add('repositories', ['a', 'c'], await w.chunks())
  assert.deepEqual(await w.coverage(), Array(3).fill([[50, 100]]))
})

test('beyond the budget of a relay filters are asked by schedule, the first layers stay live, and a relay that takes more is asked more', async () => {
  await using w = await world()
  for (let n = 0; n < 8; n++) await w.add('threads', [hex(n)], [], [])
  await w.add('announcements', [''], [], [])
  const live = async () => (await w.links()).filter((link) => link.live)
  assert.equal((await live()).length, 16)
  for (const { live: isLive, schedule } of await w.links()) assert.equal(schedule, isLive ? undefined : '10m')
  const layers = (await live()).map(({ scope }) => (scope as { mirror: { layer: string } }).mirror.layer)
  assert.ok(layers.includes('announcements'))
  await w.save((await w.links()).slice(0, 1), covering(0, 1, { at: 1, maxSubscriptions: 40 }))
  await w.add('states', ['tool'], [], [])
  assert.equal((await live()).length, 26, 'all of them')
  assert.equal((await w.directory.relays('git'))[0]?.maxChunks, 12)
})

test('P-13 P-53 what data names is reached at public addresses only, what an operator names anywhere', async () => {
  const isPublicOnly = async (privateAddresses: boolean, isBootstrap: boolean) => {
    await using w = await world({ privateAddresses })
    const add = [{ layer: 'announcements', values: [''], from: [] }]
    await w.directory.change(gitProfile, { url, isBootstrap, add, drop: [] })
    return (await w.peers())[0]?.addresses[0]?.publicOnly === true
  }
  assert.equal(await isPublicOnly(false, false), true)
  assert.equal(await isPublicOnly(false, true), false)
  assert.equal(await isPublicOnly(true, false), false)
})

test('a relay that two profiles mirror stays until both have given it up', async () => {
  await using w = await world()
  const outbox = outboxProfile(new Set([hex(1)]))
  await w.add('announcements', [''])
  await w.directory.change(outbox, { url, isBootstrap: false, add: [], drop: [] })
  await w.directory.remove('git', url)
  assert.equal((await w.peers()).length, 1)
  assert.deepEqual(
    (await w.directory.relays('outbox')).map((relay) => relay.url),
    [url],
  )
  await w.directory.remove('outbox', url)
  assert.deepEqual(await w.peers(), [])
})

test('P-19 after a restart the relays are asked what they were: nothing is changed', async () => {
  await using w = await world()
  const clock = new FakeClock()
  const common = { store: w.store, clock, log: silentLogger }
  const events = await createSqliteEventStore({ ...common, relayUrls: [], restrictedKinds: [] })
  await using _events = events
  const stored = [
    repositoryEvent('tool', [url]),
    issueEvent(repositoryRef('tool'), { id: hex(2), created_at: 101 }),
  ]
  await events.put(stored.map((event) => ({ event, raw: JSON.stringify(event) })))
  const changes: string[] = []
  const directory: MirrorDirectory = {
    relays: (profile) => w.directory.relays(profile),
    remove: (profile, gone) => w.directory.remove(profile, gone),
    change: (profile, change) => {
      changes.push(change.url)
      return w.directory.change(profile, change)
    },
  }
  const bounds = { bootstrap: [], maxRelays: 10, windowMs: 50, clock, log: silentLogger }
  const open = () =>
    ProfileRunner.open({ profile: gitProfile, store: events, directory, canonical: (one) => one, ...bounds })
  for (const expected of [1, 1, 1]) {
    await using _runner = await open()
    assert.equal(changes.length, expected)
  }
  assert.equal((await w.links()).length, 8, 'announcements, states, and three each for repository and thread')
})

test('P-70 failures of a mirrored relay are spaced by 5 s, doubling up to an hour, before chance takes its part', () => {
  const seconds = Array.from({ length: 12 }, (_, i) => nextDelay(mirrorRetry, i + 1, 1)! / 1_000)
  assert.deepEqual(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600])
})
