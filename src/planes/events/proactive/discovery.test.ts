import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import {
  hex,
  issueEvent,
  repositoryEvent,
  repositoryRef,
  unsigned,
} from '../../../../test/helpers/git-events.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { silentLogger } from '../../../kernel/logger.ts'
import { createSqliteStore } from '../../../stores/sqlite/sqlite-store.ts'
import type { NostrEvent } from '../event.ts'
import { createSqliteEventStore } from '../event-store.sqlite.ts'
import { Discovery, type HeldDeclaration } from './discovery.ts'
import { gitProfile } from './git-profile.ts'
import { peerUrl } from './peer-url.ts'
import type { WantIndex } from './want-index.ts'

const windowMs = 5_000

async function world() {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const store = opening.use(await createSqliteStore({ dir: folder.path }))
  const clock = new FakeClock(1_700_000_000_000)
  const events = opening.use(
    await createSqliteEventStore({ store, clock, log: silentLogger, relayUrls: [], restrictedKinds: [] }),
  )
  const stack = opening.move()
  const put = (...list: readonly NostrEvent[]) =>
    events.put(list.map((event) => ({ event, raw: JSON.stringify(event) })))
  let changes = 0
  let waiting = Promise.withResolvers<void>()
  const open = async (held: () => readonly HeldDeclaration[] = () => []) =>
    stack.use(
      await Discovery.open({
        store: events,
        profile: gitProfile,
        canonical: peerUrl,
        clock,
        log: silentLogger,
        windowMs,
        held,
        onChange: async () => {
          changes++
          waiting.resolve()
          waiting = Promise.withResolvers<void>()
        },
      }),
    )
  /** Lets one window pass, and waits for the change it brings. */
  const window = async () => {
    const changed = waiting.promise
    while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(windowMs)
    await changed
  }
  return {
    put,
    open,
    window,
    clock,
    changes: () => changes,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const refs = (wants: WantIndex, ...names: string[]) => names.filter((name) => wants.has(repositoryRef(name)))

test('P-19 what is stored when it starts is wanted again, however much there is, roots before their announcement too', async () => {
  await using w = await world()
  const issues = Array.from({ length: 1_200 }, (_, n) =>
    issueEvent(repositoryRef('x'), { id: hex(1_000 + n) }),
  )
  await w.put(...issues)
  await w.put(repositoryEvent('x', ['wss://r.com']))
  const discovery = await w.open()
  assert.equal(discovery.wants.childrenOf(repositoryRef('x')).size, 1_200)
  assert.equal(w.changes(), 1)
})

test('P-1 P-14 P-15 what is accepted is wanted one window after the first of it; nothing accepted, nothing done', async () => {
  await using w = await world()
  const discovery = await w.open()
  await w.clock.advance(10 * windowMs)
  assert.equal(w.changes(), 1, 'an empty window changes nothing')
  await w.put(repositoryEvent('x', ['wss://r.com']))
  while (w.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
  await w.clock.advance(windowMs - 1)
  await w.put(repositoryEvent('y', ['wss://r.com'], { id: hex(2) }))
  assert.deepEqual(refs(discovery.wants, 'x', 'y'), [])
  const next = w.window()
  await next
  assert.deepEqual(refs(discovery.wants, 'x', 'y'), ['x', 'y'], 'the window of the first did not start anew')
})

test('events of no interest wake nobody', async () => {
  await using w = await world()
  await w.open()
  await w.put(unsigned(1, [], { id: hex(5) }))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(w.clock.sleeping, 0)
})

test('what was deleted or vanished is not wanted any more; deletions of other things read nothing again', async () => {
  await using w = await world()
  const [x, y] = [
    repositoryEvent('x', ['wss://r.com']),
    repositoryEvent('y', ['wss://r.com'], { id: hex(2) }),
  ]
  await w.put(x, y, issueEvent(repositoryRef('y'), { id: hex(3) }))
  const discovery = await w.open()
  await w.clock.advance(60_000)
  const before = discovery.wants
  await w.put(unsigned(5, [['e', hex(77)]], { id: hex(10), created_at: 200 }))
  await w.put(repositoryEvent('z', ['wss://r.com'], { id: hex(4) }))
  await w.window()
  assert.equal(discovery.wants, before)
  await w.put(
    unsigned(
      5,
      [
        ['a', repositoryRef('x')],
        ['e', hex(3)],
      ],
      { id: hex(11), created_at: 200 },
    ),
  )
  await w.window()
  assert.deepEqual(refs(discovery.wants, 'x', 'y', 'z'), ['y', 'z'])
  assert.equal(discovery.wants.childrenOf(repositoryRef('y')).size, 0)
  await w.clock.advance(60_000)
  await w.put(unsigned(62, [['relay', 'ALL_RELAYS']], { id: hex(12), created_at: 300 }))
  await w.window()
  assert.equal(discovery.wants.size, 0)
})

test('who deletes in a row does not make everything be read again more than once a minute', async () => {
  await using w = await world()
  await w.put(
    ...Array.from({ length: 9 }, (_, n) => repositoryEvent(`r${n}`, ['wss://r.com'], { id: hex(20 + n) })),
  )
  const discovery = await w.open()
  await w.clock.advance(60_000)
  const seen = new Set<WantIndex>([discovery.wants])
  for (let n = 0; n < 6; n++) {
    await w.put(unsigned(5, [['e', hex(20 + n)]], { id: hex(50 + n), created_at: 200 + n }))
    while (w.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
    await w.clock.advance(windowMs)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    seen.add(discovery.wants)
  }
  assert.ok(seen.size <= 2, `read ${seen.size - 1} times`)
})

test('P-20 what is held is wanted for its states, and in full once it is accepted', async () => {
  await using w = await world()
  const given = repositoryEvent('x', ['wss://r.com'])
  const held: HeldDeclaration[] = []
  const discovery = await w.open(() => held)
  held.push({ declaration: { ...gitProfile.declare(given)!, level: 'state' }, author: given.pubkey })
  discovery.notify()
  await w.window()
  assert.equal(discovery.wants.levelOf(repositoryRef('x')), 'state')
  held.length = 0
  await w.put(given)
  await w.window()
  assert.equal(discovery.wants.levelOf(repositoryRef('x')), 'full')
})
