import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { NostrEvent } from '../event.ts'
import { gitProfile } from './git-profile.ts'
import { peerUrl } from './peer-url.ts'
import type { Profile } from './profile.ts'
import { WantIndex } from './want-index.ts'

const alice = 'a'.repeat(64)
const bob = 'b'.repeat(64)
const idOf = (n: number) => n.toString(16).padStart(64, '0')

function event(kind: number, tags: string[][], parts: Partial<NostrEvent> = {}): NostrEvent {
  return {
    id: idOf(1),
    pubkey: alice,
    created_at: 100,
    kind,
    tags,
    content: '',
    sig: '0'.repeat(128),
    ...parts,
  }
}

function announce(d: string, relays: string[], parts: Partial<NostrEvent> = {}): NostrEvent {
  return event(
    30_617,
    [
      ['d', d],
      ['relays', ...relays],
    ],
    parts,
  )
}

function index(profile: Profile = gitProfile): WantIndex {
  return new WantIndex({ profile, canonical: (url) => (url.includes('own.com') ? undefined : peerUrl(url)) })
}

function take(wants: WantIndex, given: NostrEvent): boolean {
  const declaration = gitProfile.declare(given)
  const claim = gitProfile.claim(given)
  if (declaration !== undefined) return wants.declare(declaration, given.pubkey)
  return claim !== undefined && wants.claim(claim)
}

const ref = (d: string, pubkey = alice) => `30617:${pubkey}:${d}`
const plain = (wants: WantIndex) =>
  Object.fromEntries(
    [...wants.derive()].map(([url, want]) => [
      url,
      Object.fromEntries([...want].map(([layer, values]) => [layer, [...values].sort()])),
    ]),
  )

test('P-21 nothing declared is nothing wanted', () => assert.equal(index().derive().size, 0))

test('P-1 P-2 P-6 an announcement is an entry by its address, one without d is none, and its own id is no root', () => {
  const wants = index()
  take(wants, announce('x', ['wss://r.com']))
  assert.ok(wants.has(ref('x')))
  assert.equal(take(wants, event(30_617, [['relays', 'wss://r.com']])), false)
  assert.equal(wants.size, 1)
  assert.equal(wants.childrenOf(ref('x')).size, 0)
})

test('P-3 P-4 P-10 all relays tags count, and the places to clone from; this node itself never does', () => {
  const wants = index()
  const tags = [
    ['d', 'x'],
    ['relays', 'wss://a.com', 'wss://own.com'],
    ['relays', 'wss://b.com/'],
    [
      'clone',
      'https://c.com/npub1x/x.git',
      'http://d.com:81/y.git',
      'ssh://e.com/y',
      'https://own.com/x.git',
    ],
  ]
  take(wants, event(30_617, tags))
  assert.deepEqual(
    [...wants.peersOf(ref('x'))],
    ['wss://a.com/', 'wss://b.com/', 'wss://c.com/', 'ws://d.com:81/'],
  )
})

test('P-7 P-8 P-9 roots belong to every repository they name, also to one announced later; states and updates are none', () => {
  const wants = index()
  const issue = event(
    1_621,
    [
      ['a', ref('x')],
      ['a', ref('y', bob)],
      ['a', '30023:z:z'],
    ],
    { id: idOf(7) },
  )
  take(wants, announce('x', ['wss://r.com']))
  assert.equal(take(wants, issue), true)
  take(wants, announce('y', ['wss://s.com'], { pubkey: bob, id: idOf(2) }))
  assert.deepEqual([...wants.childrenOf(ref('x'))], [idOf(7)])
  assert.deepEqual([...wants.childrenOf(ref('y', bob))], [idOf(7)])
  for (const kind of [30_618, 1_619, 1_111, 1])
    assert.equal(
      take(
        wants,
        event(
          kind,
          [
            ['a', ref('x')],
            ['d', 'x'],
          ],
          { id: idOf(8) },
        ),
      ),
      false,
      String(kind),
    )
})

test('P-17 the newest announcement says all there is to say: a relay it drops is not wanted, an older one changes nothing', () => {
  const wants = index()
  const older = announce('x', ['wss://r.com', 'wss://s.com'])
  const newer = announce('x', ['wss://s.com'], { created_at: 200, id: idOf(2) })
  for (const order of [
    [older, newer],
    [newer, older],
    [newer, older, newer],
  ]) {
    for (const each of order) take(wants, each)
    assert.deepEqual(Object.keys(plain(wants)), ['wss://s.com/'])
  }
  // Of two of one second the lower id stands (NIP-01).
  take(wants, announce('x', ['wss://t.com'], { created_at: 200, id: idOf(3) }))
  assert.deepEqual(Object.keys(plain(wants)), ['wss://s.com/'])
  take(wants, announce('x', ['wss://u.com'], { created_at: 200, id: idOf(1) }))
  assert.deepEqual(Object.keys(plain(wants)), ['wss://u.com/'])
  assert.equal(wants.withdraw(ref('x')), true)
  assert.equal(wants.derive().size, 0)
})

test('P-20 P-23 P-30 what is held is wanted for its states alone; accepted it is wanted in full, and never less again', () => {
  const wants = index()
  const given = announce('x', ['wss://r.com'])
  const held = { ...gitProfile.declare(given)!, level: 'state' }
  wants.declare(held, alice)
  wants.claim({ child: idOf(9), subjects: [ref('x')] })
  assert.deepEqual(plain(wants), { 'wss://r.com/': { announcements: [''], states: ['x'] } })
  assert.equal(take(wants, given), true)
  assert.equal(wants.declare(held, alice), false)
  assert.equal(wants.levelOf(ref('x')), 'full')
  assert.deepEqual(plain(wants)['wss://r.com/'], {
    announcements: [''],
    states: ['x'],
    repositories: [ref('x')],
    threads: [idOf(9)],
  })
})

test('P-22 one repository on two relays is wanted from both, three on one relay in one want, a shared identifier once', () => {
  const wants = index()
  take(wants, announce('x', ['wss://a.com', 'wss://b.com']))
  take(wants, announce('y', ['wss://a.com']))
  take(wants, announce('x', ['wss://a.com'], { pubkey: bob }))
  const { 'wss://a.com/': a, 'wss://b.com/': b } = plain(wants)
  assert.deepEqual(a?.repositories, [ref('x'), ref('x', bob), ref('y')].sort())
  assert.deepEqual(a?.states, ['x', 'y'])
  assert.deepEqual(b?.repositories, [ref('x')])
})

test('P-37 identifiers with colons, spaces and emoji come through unchanged', () => {
  const wants = index()
  for (const d of ['a:b:c', 'two words', '🦊', '']) take(wants, announce(d, ['wss://r.com']))
  assert.deepEqual(plain(wants)['wss://r.com/']?.states, ['', 'a:b:c', 'two words', '🦊'])
})

test('hostile announcements are bounded: relays, repositories of one author, children, and what waits', () => {
  const bounds = {
    peersPerSubject: 2,
    subjectsPerAuthor: 2,
    subjects: 3,
    childrenPerSubject: 2,
    unattachedChildren: 3,
  }
  const wants = index({ ...gitProfile, bounds })
  const many = Array.from({ length: 10_000 }, (_, i) => `wss://r${i}.com`)
  take(wants, announce('x', ['wss://10.0.0.1', 'nonsense://', ...many]))
  assert.equal(wants.peersOf(ref('x')).size, 2)
  for (const d of ['y', 'z', 'w']) take(wants, announce(d, ['wss://r.com']))
  assert.equal(wants.size, 2)
  for (const [n, pubkey] of [bob, 'c'.repeat(64)].entries()) take(wants, announce(`v${n}`, [], { pubkey }))
  assert.equal(wants.size, 3)
  for (let n = 0; n < 9; n++) take(wants, event(1_621, [['a', ref('x')]], { id: idOf(n) }))
  for (let n = 0; n < 9; n++) take(wants, event(1_621, [['a', ref('later', bob)]], { id: idOf(n) }))
  assert.equal(wants.childrenOf(ref('x')).size, 2)
  assert.deepEqual(wants.leftOut, { peers: 9_998, badPeers: 2, subjects: 3, children: 7 })
  wants.withdraw(ref('v0', bob))
  take(wants, announce('later', [], { pubkey: bob }))
  assert.deepEqual([...wants.childrenOf(ref('later', bob))], [idOf(6), idOf(7)])
})

test('the same events in any order leave the same index', () => {
  const one = fc.record({
    kind: fc.constantFrom(30_617, 1_621, 1_617),
    who: fc.constantFrom(alice, bob),
    d: fc.constantFrom('x', 'y'),
    at: fc.integer({ min: 1, max: 4 }),
    n: fc.integer({ min: 0, max: 40 }),
    relays: fc.subarray(['wss://a.com', 'wss://b.com', 'wss://c.com']),
  })
  const toEvent = ({
    kind,
    who,
    d,
    at,
    n,
    relays,
  }: {
    kind: number
    who: string
    d: string
    at: number
    n: number
    relays: string[]
  }) =>
    kind === 30_617
      ? announce(d, relays, { pubkey: who, created_at: at, id: idOf(at * 100 + relays.length * 10 + n) })
      : event(kind, [['a', ref(d, who)]], { id: idOf(10_000 + n) })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (specs, random) => {
      const events = specs.map(toEvent)
      const shuffled = events
        .map((value) => ({ value, key: random.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ value }) => value)
      const [first, second] = [index(), index()]
      // An id stands for one event: the same one with other relays would be another event.
      const seen = new Map<string, NostrEvent>()
      const same = (given: NostrEvent) => seen.getOrInsert(given.id, given)
      for (const each of events) take(first, same(each))
      for (const each of shuffled) take(second, same(each))
      assert.deepEqual(plain(second), plain(first))
    }),
  )
})
