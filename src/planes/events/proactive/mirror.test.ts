import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { hex, repositoryEvent } from '../../../../test/helpers/git-events.ts'
import { silentLogger } from '../../../kernel/logger.ts'
import { gitProfile } from './git-profile.ts'
import { Mirror, type MirrorOptions } from './mirror.ts'
import type { MirrorChange, MirrorDirectory, MirroredChunk } from './mirror-directory.ts'
import { peerUrl } from './peer-url.ts'
import { WantIndex } from './want-index.ts'

/** The contract of a directory in a map, with a record of what was asked of it. */
class MapDirectory implements MirrorDirectory {
  readonly held = new Map<string, MirroredChunk[]>()
  readonly changes: MirrorChange[] = []
  readonly removed: string[] = []
  maxChunks: number | undefined
  #next = 0

  async relays() {
    return [...this.held].map(([url, chunks]) => ({
      url,
      chunks,
      maxChunks: this.maxChunks,
      maxFilterBytes: undefined,
    }))
  }

  async change(_profile: unknown, change: MirrorChange): Promise<void> {
    this.changes.push(change)
    const rest = (this.held.get(change.url) ?? []).filter((chunk) => !change.drop.includes(chunk))
    const added = change.add.map(({ layer, values }) => ({ id: String(this.#next++), layer, values }))
    this.held.set(change.url, [...rest, ...added])
  }

  async remove(_profile: string, url: string): Promise<void> {
    this.removed.push(url)
    this.held.delete(url)
  }
}

function world(options: Partial<MirrorOptions> = {}) {
  const directory = new MapDirectory()
  const clock = new FakeClock()
  const mirror = new Mirror({
    profile: gitProfile,
    directory,
    clock,
    log: silentLogger,
    bootstrap: [],
    maxRelays: 100,
    chunkSize: 100,
    chunkBytes: 10_000,
    graceMs: 60_000,
    ...options,
  })
  const wants = new WantIndex({ profile: gitProfile, canonical: peerUrl })
  let at = 100
  const announce = (d: string, ...relays: string[]) => {
    const event = repositoryEvent(d, relays, { created_at: at, id: hex(at++) })
    wants.declare(gitProfile.declare(event)!, event.pubkey)
  }
  return { directory, clock, mirror, wants, announce }
}

test('each relay is asked what is wanted of it, and a second look changes nothing', async () => {
  const { directory, mirror, wants, announce } = world()
  announce('x', 'wss://a.com', 'wss://b.com')
  announce('y', 'wss://a.com')
  await mirror.reconcile(wants)
  const layers = (url: string) => directory.held.get(url)?.map(({ layer, values }) => [layer, values.length])
  assert.deepEqual(layers('wss://a.com/'), [
    ['announcements', 1],
    ['states', 2],
    ['repositories', 2],
  ])
  assert.deepEqual(layers('wss://b.com/'), [
    ['announcements', 1],
    ['states', 1],
    ['repositories', 1],
  ])
  const { length } = directory.changes
  await mirror.reconcile(wants)
  assert.equal(directory.changes.length, length)
  assert.deepEqual(mirror.status, { relays: 2, relaysLeftOut: 0, chunks: 6 })
})

test('P-17 P-54 a relay that is no longer wanted is asked nothing at once, and goes after its grace; wanted again it stays', async () => {
  const { directory, mirror, wants, announce, clock } = world()
  announce('x', 'wss://a.com')
  await mirror.reconcile(wants)
  announce('x', 'wss://b.com')
  assert.equal(await mirror.reconcile(wants), 60_000)
  assert.deepEqual(directory.held.get('wss://a.com/'), [])
  await clock.advance(59_999)
  assert.equal(await mirror.reconcile(wants), 1)
  announce('x', 'wss://a.com', 'wss://b.com')
  assert.equal(await mirror.reconcile(wants), undefined)
  announce('x', 'wss://b.com')
  assert.equal(await mirror.reconcile(wants), 60_000, 'its grace began anew')
  await clock.advance(60_000)
  await mirror.reconcile(wants)
  assert.deepEqual(directory.removed, ['wss://a.com/'])
})

test('P-53 a bootstrap relay is asked for announcements although nothing names it, and never goes', async () => {
  const { directory, mirror, wants, announce, clock } = world({ bootstrap: ['wss://boot.com/'] })
  await mirror.reconcile(wants)
  assert.deepEqual(
    directory.held.get('wss://boot.com/')?.map(({ layer }) => layer),
    ['announcements'],
  )
  assert.equal(directory.changes[0]?.isBootstrap, true)
  announce('x', 'wss://boot.com')
  await mirror.reconcile(wants)
  announce('x', 'wss://a.com')
  await mirror.reconcile(wants)
  await clock.advance(120_000)
  await mirror.reconcile(wants)
  assert.deepEqual(directory.removed, [])
  assert.deepEqual(
    directory.held.get('wss://boot.com/')?.map(({ layer }) => layer),
    ['announcements'],
  )
})

test('of more relays than may be, those stay that are mirrored, then those wanted for the most; the rest is counted', async () => {
  const { mirror, wants, announce, directory } = world({ maxRelays: 3, bootstrap: ['wss://boot.com/'] })
  announce('x', 'wss://old.com')
  await mirror.reconcile(wants)
  for (const d of ['y', 'z']) announce(d, 'wss://busy.com')
  for (let n = 0; n < 50; n++) announce(`n${n}`, `wss://one-${n}.com`)
  await mirror.reconcile(wants)
  assert.deepEqual([...directory.held.keys()].sort(), [
    'wss://boot.com/',
    'wss://busy.com/',
    'wss://old.com/',
  ])
  assert.equal(mirror.status.relaysLeftOut, 50)
})

test('a relay that takes few subscriptions has its chunks merged', async () => {
  const { mirror, wants, announce, directory } = world()
  for (let n = 0; n < 12; n++) {
    announce(`n${n}`, 'wss://a.com')
    await mirror.reconcile(wants)
  }
  assert.equal(directory.held.get('wss://a.com/')?.length, 25)
  directory.maxChunks = 10
  await mirror.reconcile(wants)
  assert.equal(directory.held.get('wss://a.com/')?.length, 3)
})
