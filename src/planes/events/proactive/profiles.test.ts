import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import { planChunks } from './chunk-plan.ts'
import { gitProfile } from './git-profile.ts'
import { outboxProfile } from './outbox-profile.ts'
import type { Profile } from './profile.ts'

const alice = 'a'.repeat(64)
const ref = (n: number) => `30617:${alice}:repo-${n}`
const id = (n: number) => n.toString(16).padStart(64, '0')
const many = <T>(count: number, of: (n: number) => T) => Array.from({ length: count }, (_, n) => of(n))

/** All filters for what is wanted of one relay, chunked as they are asked. */
function filters(profile: Profile, layers: Record<string, string[]>): Filter[] {
  const wanted = new Map(Object.entries(layers).map(([name, values]) => [name, new Set(values)]))
  const { add } = planChunks(wanted, [], { chunkSize: 100, chunkBytes: 1e6, maxChunks: 1_000 })
  return add.flatMap(({ layer, values }) =>
    profile.layers.find(({ name }) => name === layer)!.filters(values),
  )
}

test('P-31 the numbers of filters are those of the facts', () => {
  const count = (repos: number, roots: number, identifiers = repos) =>
    filters(gitProfile, {
      states: many(identifiers, (n) => `repo-${n}`),
      repositories: many(repos, ref),
      threads: many(roots, id),
    }).length
  assert.equal(count(0, 0), 0)
  assert.equal(count(1, 0), 4)
  assert.equal(count(250, 0), 9 + 3)
  assert.equal(count(3, 0, 1), 3 + 1)
  assert.equal(count(0, 1), 3)
  assert.equal(count(0, 250), 9)
  assert.equal(count(1, 1), 7)
  assert.equal(filters(gitProfile, { states: ['x'] }).length, 1)
})

test('P-32 P-33 P-35 repositories are asked for by a, A and q, threads by e, E and q, without kinds, a hundred at once', () => {
  const of = filters(gitProfile, { repositories: many(250, ref), threads: many(250, id) })
  assert.deepEqual([...new Set(of.flatMap((filter) => Object.keys(filter)))].sort(), [
    '#A',
    '#E',
    '#a',
    '#e',
    '#q',
  ])
  assert.ok(of.every((filter) => Object.values(filter).every((values) => values.length <= 100)))
  for (const layer of ['#a', '#A', '#q'] as const)
    assert.ok(
      of.some((filter) => filter[layer]?.includes(ref(7))),
      layer,
    )
  for (const layer of ['#e', '#E', '#q'] as const)
    assert.ok(
      of.some((filter) => filter[layer]?.includes(id(7))),
      layer,
    )
})

test('announcements are asked of the relay as a whole', () => {
  assert.deepEqual(filters(gitProfile, { announcements: [''] }), [{ kinds: [30_617, 10_317] }])
})

test('outbox: a listed author is mirrored from the relays it writes to, anybody else is not', () => {
  const profile = outboxProfile(new Set([alice]), [1, 30_023])
  const event: NostrEvent = {
    id: id(1),
    pubkey: alice,
    created_at: 5,
    kind: 10_002,
    tags: [
      ['r', 'wss://both.com'],
      ['r', 'wss://write.com', 'write'],
      ['r', 'wss://read.com', 'read'],
      ['r'],
    ],
    content: '',
    sig: '',
  }
  assert.deepEqual(profile.declare(event), {
    subject: alice,
    revision: [5, id(1)],
    level: 'full',
    peers: ['wss://both.com', 'wss://write.com'],
  })
  assert.equal(profile.declare({ ...event, pubkey: 'b'.repeat(64) }), undefined)
  assert.equal(profile.declare({ ...event, kind: 1 }), undefined)
  assert.deepEqual(filters(profile, { authors: [alice] }), [
    { authors: [alice], kinds: [0, 1, 3, 10_002, 30_023] },
  ])
})
