import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { startBound } from './bound.ts'
import { fingerprintOf } from './fingerprint.ts'
import { FingerprintIndex } from './fingerprint-index.ts'
import { encodeHex } from './id.ts'
import type { ItemColumns } from './item-columns.ts'
import { ItemVector } from './item-vector.ts'
import type { Key } from './key.ts'
import { LeafBuilder } from './leaf-builder.ts'
import type { ItemChange, LeafChange, LeafRecord } from './leaf-record.ts'
import { NegentropyError, type NegentropyErrorCode } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'
import { TimeRange } from './time-range.ts'

const text = (key: Key) => `${String(key.timestamp).padStart(16, '0')}:${key.id}`

/** Rows and stored leaf records of one table, with the transaction of a real store. */
class Table {
  rows = new Map<string, Key>()
  leaves = new Map<string, LeafRecord>()
  loads = 0
  loadedItems = 0
  #before: { rows: Map<string, Key>; leaves: Map<string, LeafRecord> } | undefined

  load = (from: Key, to: Key | undefined): ItemColumns => {
    const inside = [...this.rows.values()].filter(
      (key) => text(key) >= text(from) && (to === undefined || text(key) < text(to)),
    )
    this.loads++
    this.loadedItems += inside.length
    return ItemVector.from(inside).columns
  }

  begin(): void {
    this.#before = { rows: new Map(this.rows), leaves: new Map(this.leaves) }
  }

  rollback(): void {
    this.rows = this.#before!.rows
    this.leaves = this.#before!.leaves
  }

  change(changes: readonly ItemChange[]): void {
    for (const { key, op } of changes) {
      if (op === 'add') this.rows.set(text(key), key)
      else this.rows.delete(text(key))
    }
  }

  store(changes: readonly LeafChange[]): void {
    for (const change of changes) {
      if (change.op === 'put') this.leaves.set(text(change.leaf.first), change.leaf)
      else assert.ok(this.leaves.delete(text(change.first)), 'a deleted record was stored')
    }
  }

  write(index: FingerprintIndex, changes: readonly ItemChange[]): void {
    this.begin()
    this.change(changes)
    this.store(index.apply(changes))
  }
}

function open(
  table: Table,
  options: { maxLeafSize?: number; maxJournal?: number; cacheBytes?: number } = {},
) {
  return new FingerprintIndex({ leaves: table.leaves.values(), load: table.load, maxLeafSize: 4, ...options })
}

function items(set: OrderedSet): Key[] {
  const ids = new Uint8Array(32)
  return Array.from({ length: set.size }, (_, i) => {
    set.copyIds(i, i + 1, ids, 0)
    return { timestamp: set.timestampAt(i), id: encodeHex(ids) }
  })
}

/** Every answer of `set` is that of a vector of the same items. */
function assertSame(set: OrderedSet, expected: Iterable<Key>): void {
  const vector = ItemVector.from(expected)
  assert.deepEqual(items(set), items(vector))
  assert.equal(fingerprintOf(set), fingerprintOf(vector))
  const size = vector.size
  for (const [begin, end] of [
    [0, Math.floor(size / 2)],
    [Math.floor(size / 3), size],
    [Math.floor(size / 3), Math.ceil(size / 2)],
  ] as const)
    if (begin < end) assert.equal(rangeFingerprint(set, begin, end), rangeFingerprint(vector, begin, end))
  for (const timestamp of [0, 3, 7, 2 ** 53 - 1])
    for (const from of [0, Math.floor(size / 2)]) {
      const bound = { ...startBound(), timestamp, prefixLength: 1, prefix: new Uint8Array(32).fill(0x55) }
      assert.equal(set.lowerBound(bound, from), vector.lowerBound(bound, from))
    }
  assert.equal(fingerprintOf(new TimeRange(set, 3, 7)), fingerprintOf(new TimeRange(vector, 3, 7)))
}

function rangeFingerprint(set: OrderedSet, begin: number, end: number): string {
  const part: OrderedSet = {
    size: end - begin,
    lowerBound: () => assert.fail(),
    addSum: (from, to, sum) => set.addSum(begin + from, begin + to, sum),
    timestampAt: (i) => set.timestampAt(begin + i),
    copyIds: (from, to, target, offset) => set.copyIds(begin + from, begin + to, target, offset),
  }
  return fingerprintOf(part)
}

const idArbitrary = fc
  .tuple(fc.constantFrom(0, 0x54, 0x55, 0x56, 0xff), fc.integer({ min: 0, max: 3 }))
  .map(([a, b]) => a.toString(16).padStart(2, '0').repeat(31) + b.toString(16).padStart(2, '0'))
const keyArbitrary = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(2 ** 53 - 1)),
  id: idArbitrary,
})

type Step =
  | { kind: 'toggle'; keys: Key[]; end: 'commit' | 'rollback' | 'again' }
  | { kind: 'open' }
  | { kind: 'close' }
  | { kind: 'reopen' }

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('toggle' as const),
      keys: fc.uniqueArray(keyArbitrary, { selector: text, maxLength: 30 }),
      end: fc.constantFrom('commit' as const, 'commit' as const, 'rollback' as const, 'again' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

/** Adds what is missing and removes what is there: valid changes for any state. */
function toggles(table: Table, keys: readonly Key[]): ItemChange[] {
  return keys.map((key) => ({ key, op: table.rows.has(text(key)) ? ('remove' as const) : ('add' as const) }))
}

test('P-NEG-4 the index equals the naive sum after any changes, rollbacks and restarts, and snapshots stand still', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 25 }), fc.boolean(), (steps, cached) => {
      const table = new Table()
      // Without a cache every read of an old snapshot has to undo what happened since.
      const cacheBytes = cached ? 100_000 : 0
      let index = open(table, { cacheBytes })
      let snapshots: { set: ReturnType<FingerprintIndex['snapshot']>; expected: Key[] }[] = []
      for (const step of steps) {
        if (step.kind === 'toggle') {
          const committed = [...table.rows.values()]
          const records = new Map(table.leaves)
          table.write(index, toggles(table, step.keys))
          const late = { set: index.snapshot(), expected: committed }
          assertSame(late.set, committed)
          if (step.end === 'again') {
            const changes = toggles(table, step.keys.slice(0, 5))
            table.change(changes)
            table.store(index.apply(changes))
            assertSame(late.set, committed)
          }
          if (step.end === 'rollback') {
            table.rollback()
            index.rollback()
            assert.deepEqual(table.leaves, records)
          } else index.commit()
          snapshots.push(late)
        } else if (step.kind === 'open')
          snapshots.push({ set: index.snapshot(), expected: [...table.rows.values()] })
        else if (step.kind === 'close') snapshots.shift()?.set[Symbol.dispose]()
        else {
          snapshots = []
          index = open(table, { cacheBytes })
        }
        for (const { set, expected } of snapshots) assertSame(set, expected)
        const now = index.snapshot()
        assertSame(now, table.rows.values())
        now[Symbol.dispose]()
        assert.equal(index.size, table.rows.size)
        assert.ok([...index.verify()].every(({ matches }) => matches))
        const stored = [...table.leaves.values()]
        assert.equal(
          stored.reduce((sum, { count }) => sum + count, 0),
          table.rows.size,
        )
        assert.ok(stored.every(({ count }) => count <= 4))
      }
    }),
    { numRuns: 150 },
  )
})

const fails = (code: NegentropyErrorCode) => (error: unknown) =>
  error instanceof NegentropyError && error.code === code

const key = (timestamp: number, byte = 0): Key => ({
  timestamp,
  id: byte.toString(16).padStart(2, '0').repeat(32),
})
const adds = (keys: readonly Key[]): ItemChange[] => keys.map((one) => ({ key: one, op: 'add' }))
const removes = (keys: readonly Key[]): ItemChange[] => keys.map((one) => ({ key: one, op: 'remove' }))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => key(from + i))

function commit(table: Table, index: FingerprintIndex, changes: readonly ItemChange[]): void {
  table.write(index, changes)
  index.commit()
}

test('appending in key order loads nothing, however many leaves it makes', () => {
  const table = new Table()
  const index = open(table)
  for (let at = 0; at < 200; at += 10) commit(table, index, adds(range(at, at + 10)))
  assert.equal(table.loads, 0)
  assert.ok(index.leafCount >= 50)
  const reopened = open(table)
  for (let at = 200; at < 300; at += 10) commit(table, reopened, adds(range(at, at + 10)))
  assert.ok(table.loads <= 2, 'only the end of the set is looked at, once')
})

test('random inserts load only the leaves that outgrow their limit', () => {
  const table = new Table()
  const index = open(table, { maxLeafSize: 64 })
  commit(table, index, adds(range(0, 1000).map(({ timestamp }) => key(timestamp * 10))))
  const leaves = index.leafCount
  commit(table, index, adds(range(0, 100).map(({ timestamp }) => key(timestamp * 97 + 1))))
  assert.equal(table.loads, 0)
  assert.equal(index.leafCount, leaves)
  commit(table, index, adds(range(0, 40).map(({ timestamp }) => key(5, timestamp + 1))))
  assert.equal(table.loads, 1)
})

test('emptied leaves go, and small neighbours are merged, without loading', () => {
  const table = new Table()
  const index = open(table, { maxLeafSize: 8 })
  commit(table, index, adds(range(0, 100)))
  const before = index.leafCount
  commit(table, index, removes(range(0, 100).filter(({ timestamp }) => timestamp % 6 !== 0)))
  assert.equal(table.loads, 0)
  assert.ok(index.leafCount < before / 2)
  commit(table, index, removes(range(0, 100).filter(({ timestamp }) => timestamp % 6 === 0)))
  assert.equal(index.size, 0)
  assert.ok(index.leafCount <= 2)
})

test('a snapshot needs no journal once it is disposed, and expires when too much changed under it', () => {
  const table = new Table()
  const index = open(table, { maxJournal: 20, cacheBytes: 1 })
  commit(table, index, adds(range(0, 10)))
  const old = index.snapshot()
  commit(table, index, adds(range(10, 25)))
  const young = index.snapshot()
  assertSame(old, range(0, 10))
  commit(table, index, adds(range(25, 40)))
  assert.throws(() => items(old), fails('negentropy/snapshot-expired'))
  assertSame(young, range(0, 25))
  old[Symbol.dispose]()
  young[Symbol.dispose]()
  assert.throws(() => items(young), fails('negentropy/out-of-order'))
  commit(table, index, adds(range(40, 100)))
  assertSame(index.snapshot(), range(0, 100))
})

test('a snapshot taken while more is staged than the journal may hold still stands', () => {
  const table = new Table()
  const index = open(table, { maxJournal: 5, cacheBytes: 0 })
  commit(table, index, adds(range(0, 10)))
  const first = index.snapshot()
  table.write(index, adds(range(10, 40)))
  const second = index.snapshot()
  first[Symbol.dispose]()
  assertSame(second, range(0, 10))
  table.rollback()
  index.rollback()
  assertSame(second, range(0, 10))
})

test('what was rolled back is not undone a second time', () => {
  const table = new Table()
  const index = open(table, { cacheBytes: 0 })
  commit(table, index, adds(range(0, 10)))
  const snapshot = index.snapshot()
  table.write(index, removes([key(3)]))
  table.rollback()
  index.rollback()
  commit(table, index, adds([key(3, 9)]))
  commit(table, index, removes([key(3, 9)]))
  assertSame(snapshot, range(0, 10))
  table.write(index, adds([key(20)]))
  table.rollback()
  index.rollback()
  commit(table, index, adds([key(20)]))
  const later = index.snapshot()
  table.write(index, removes([key(20)]))
  table.rollback()
  index.rollback()
  commit(table, index, removes([key(5)]))
  assertSame(later, [...range(0, 10), key(20)])
})

test('rows that do not match the index are found by verify, by reading and by splitting', () => {
  const table = new Table()
  const index = open(table)
  commit(table, index, adds(range(0, 30)))
  const gone = key(14)
  table.rows.delete(text(gone))
  const broken = [...index.verify()].filter(({ matches }) => !matches)
  assert.equal(broken.length, 1)
  assert.ok(text(broken[0]!.first) <= text(gone))
  assert.throws(() => items(index.snapshot()), fails('negentropy/corrupt-index'))
  const many = adds(range(0, 4).map(({ timestamp }) => key(14, timestamp + 1)))
  table.change(many)
  assert.throws(() => index.apply(many), fails('negentropy/corrupt-index'))
})

test('a failed apply changes nothing', () => {
  const table = new Table()
  const index = open(table)
  commit(table, index, adds(range(0, 10)))
  assert.throws(
    () => index.apply([...removes([key(3)]), ...removes([key(3)])]),
    fails('negentropy/invalid-change'),
  )
  assert.throws(() => index.apply(adds([key(-1)])), fails('negentropy/invalid-item'))
  assert.throws(() => index.apply(removes([key(90), key(91)])), fails('negentropy/invalid-change'))
  index.commit()
  assertSame(index.snapshot(), range(0, 10))
})

test('what comes and goes within one transaction leaves no trace', () => {
  const table = new Table()
  const index = open(table)
  commit(table, index, adds(range(0, 10)))
  const changes = [...adds([key(50)]), ...removes([key(50)]), ...removes([key(3)]), ...adds([key(3)])]
  assert.deepEqual(index.apply(changes), [])
  index.commit()
  assertSame(index.snapshot(), range(0, 10))
})

test('LeafBuilder makes the leaves of a whole set from sorted chunks of any size', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(keyArbitrary, { selector: text, maxLength: 80 }),
      fc.integer({ min: 1, max: 20 }),
      (keys, chunk) => {
        const sorted = [...keys].sort((a, b) => (text(a) < text(b) ? -1 : 1))
        const builder = new LeafBuilder(4)
        for (let at = 0; at < sorted.length; at += chunk)
          builder.add(ItemVector.from(sorted.slice(at, at + chunk)).columns)
        const table = new Table()
        for (const item of sorted) table.rows.set(text(item), item)
        for (const leaf of builder.finish()) table.leaves.set(text(leaf.first), leaf)
        assertSame(open(table).snapshot(), keys)
      },
    ),
    { numRuns: 50 },
  )
  const builder = new LeafBuilder(4).add(ItemVector.from(range(5, 9)).columns)
  assert.throws(() => builder.add(ItemVector.from(range(3, 6)).columns), fails('negentropy/invalid-item'))
})

test('records without the first leaf, or with a sum of another size, are refused', () => {
  const sum = new Uint8Array(32)
  const load = () => assert.fail()
  const refused = (leaf: LeafRecord) =>
    assert.throws(() => new FingerprintIndex({ leaves: [leaf], load }), fails('negentropy/corrupt-index'))
  refused({ first: key(1), count: 0, sum })
  refused({ first: key(0), count: 0, sum: sum.subarray(1) })
})
