import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { makeEntry, makeRoot } from '../../../../test/helpers/entry-maker.ts'
import { type SealedEntry, storeNode } from '../entry/entry.ts'
import { type EntryId, sortedIds } from '../entry/entry-id.ts'
import { MemoryDocumentStorage } from '../storage/document-storage.memory.ts'
import type { DocumentView } from '../storage/document-storage.ts'
import { storeDag, treeDag } from './dag.ts'
import { Lineages } from './lineages.ts'
import { reachability } from './reachability.ts'
import { closure, difference, maximal, mergeBase, pathFrom } from './walk.ts'

const root = makeRoot(1, [{ name: 's' }])
const ids = (entries: Iterable<{ readonly id: EntryId }>) => sortedIds([...entries].map(({ id }) => id))

/** An entry in the database's DAG and, the same way, in that of the store s. */
let made = 0
const on = (...parents: SealedEntry[]) => makeEntry(parents, [{ name: 's', parents, data: `${made++}` }])

async function viewOf(
  entries: readonly SealedEntry[],
  held: readonly SealedEntry[] = [],
): Promise<DocumentView> {
  const storage = new MemoryDocumentStorage()
  await storage.write((batch) => {
    for (const entry of entries) batch.add(entry, 'verified')
    for (const entry of held) batch.add(entry, 'unverified')
  })
  return await storage.read((view) => view)
}

/** Per entry after the root: its parents among the earlier ones, and whether it takes part in the stores s and t. */
const shape = fc.array(
  fc.record({ picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), s: fc.boolean(), t: fc.boolean() }),
  { minLength: 1, maxLength: 25 },
)
type Shape = { readonly picks: readonly number[]; readonly s: boolean; readonly t: boolean }[]

class Grown {
  readonly entries: SealedEntry[] = [root]
  readonly above = new Map<SealedEntry, Set<SealedEntry>>([[root, new Set([root])]])

  constructor(steps: Shape) {
    for (const [i, { picks, s, t }] of steps.entries()) {
      const parents = [...new Set(picks.map((pick) => this.entries[pick % this.entries.length]!))]
      const ancestors = new Set(parents.flatMap((parent) => [...this.above.get(parent)!]))
      // Everything takes part in u, or two entries might be one.
      const names = [...(s ? ['s'] : []), ...(t ? ['t'] : []), 'u']
      const stores = names.map((name) => ({ name, parents: this.tips(name, ancestors), data: `${i}` }))
      const entry = makeEntry(parents, stores)
      this.entries.push(entry)
      this.above.set(entry, new Set([...ancestors, entry]))
    }
  }

  /** Store tips, the slow way: those of the set that are in the store and below no other of them. */
  tips(name: string, among: ReadonlySet<SealedEntry>): SealedEntry[] {
    const inStore = [...among].filter(({ entry }) => storeNode(entry, name) !== undefined)
    return inStore.filter((one) => !inStore.some((other) => other !== one && this.above.get(other)!.has(one)))
  }

  closureOf(entries: readonly SealedEntry[]): Set<SealedEntry> {
    return new Set(entries.flatMap((entry) => [...this.above.get(entry)!]))
  }

  pick(numbers: readonly number[]): SealedEntry[] {
    return [...new Set(numbers.map((n) => this.entries[n % this.entries.length]!))]
  }
}

describe('walks', () => {
  it('P-WALK closure, difference and maximal are those of the plain definitions, on any DAG', async () => {
    const some = fc.array(fc.nat(), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(shape, some, some, async (steps, first, second) => {
        const grown = new Grown(steps)
        const dag = treeDag(await viewOf(grown.entries), root.id)
        const [a, b] = [grown.pick(first), grown.pick(second)]
        const [left, right] = [grown.closureOf(a), grown.closureOf(b)]
        assert.deepEqual(ids(closure(dag, ids(a))), ids(left))
        const different = difference(dag, ids(a), ids(b))
        assert.deepEqual(ids(different), ids([...left].filter((entry) => !right.has(entry))))
        const heights = different.map(({ height }) => height)
        assert.deepEqual(
          heights,
          heights.toSorted((x, y) => x - y),
        )
        const top = a.filter((one) => !a.some((other) => other !== one && grown.above.get(other)!.has(one)))
        assert.deepEqual(maximal(dag, ids(a)), ids(top))
      }),
      { numRuns: 200 },
    )
  })

  it('D-16 D-17 the tips of a store as of any parents are those among their ancestors', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.array(fc.nat(), { maxLength: 3 }), async (steps, numbers) => {
        const grown = new Grown(steps)
        const view = await viewOf(grown.entries)
        const at = grown.pick(numbers)
        const lineage = new Lineages().at(view, root.id, ids(at))
        const above = grown.closureOf(at)
        for (const name of ['s', 't', 'none'])
          assert.deepEqual(lineage.tips(name), ids(grown.tips(name, above)))
      }),
      { numRuns: 200 },
    )
  })

  it('D-16 a lineage is stored now and then, so that one that was forgotten is not looked for down to the root', async () => {
    const chain = [root]
    for (let i = 0; i < 1_000; i++)
      chain.push(makeEntry([chain.at(-1)!], i === 3 ? [{ name: 't', data: 'x' }] : []))
    const storage = new MemoryDocumentStorage()
    await storage.write((batch) => {
      const lineages = new Lineages()
      for (const entry of chain) {
        const before = lineages.at(batch, root.id, entry.entry.parents)
        batch.add(entry, 'verified')
        lineages.record(batch, entry.id, entry.entry, before)
      }
    })
    let looks = 0
    const view = await storage.read((view) => view)
    const counting: DocumentView = new Proxy(view, {
      get(target, name: keyof DocumentView) {
        if (name === 'entry') looks += 1
        const value = target[name]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const lineage = new Lineages().at(counting, root.id, [chain.at(-1)!.id])
    assert.deepEqual(lineage.tips('t'), [chain[4]!.id])
    assert.ok(looks <= 2 * 64, `${looks} entries were read`)
  })

  it('a chain of 20,000 entries needs no stack', async () => {
    const chain = [root]
    for (let i = 0; i < 20_000; i++) chain.push(on(chain.at(-1)!))
    const view = await viewOf(chain)
    assert.equal(closure(treeDag(view, root.id), [chain.at(-1)!.id]).length, 20_001)
    assert.deepEqual(new Lineages().at(view, root.id, [chain.at(-1)!.id]).tips('s'), [chain.at(-1)!.id])
    assert.equal(reachability(view, root.id, [chain.at(-1)!.id], [root.id]).kind, 'reachable')
  })
})

describe('merge base', () => {
  const r = root
  const [a, x] = [on(r), on(r)]
  const b = on(a)
  const c = on(a, x)
  const d = on(b)
  const [e, f] = [on(d), on(c)]

  it('D-23 is the entry no path avoids, not the lowest common ancestor', async () => {
    const dag = storeDag(await viewOf([r, a, x, b, c, d, e, f]), r.id, 's')
    assert.equal(mergeBase(dag, ids([e, f])), r.id)
    assert.equal(mergeBase(dag, [e.id]), e.id)
    assert.equal(mergeBase(dag, ids([b, d])), b.id)
    assert.deepEqual(ids(pathFrom(dag, r.id, ids([e, f]))), ids([a, x, b, c, d, e, f]))
    assert.deepEqual(pathFrom(dag, r.id, [r.id]), [])
  })

  it('D-23 the path from it has both sides of a diamond, in canonical order', async () => {
    const [left, right] = [on(r), on(r)]
    const end = on(left, right)
    const dag = storeDag(await viewOf([r, left, right, end]), r.id, 's')
    const path = pathFrom(dag, r.id, [end.id])
    assert.deepEqual(
      path.map(({ id }) => id),
      [...ids([left, right]), end.id],
    )
  })

  it('D-35 there is none where two sides made the store on their own', async () => {
    const left = makeEntry([root], [{ name: 'new', data: '1' }])
    const right = makeEntry([root], [{ name: 'new', data: '2' }])
    const dag = storeDag(await viewOf([root, left, right]), root.id, 'new')
    assert.equal(mergeBase(dag, ids([left, right])), undefined)
  })

  it('P-BASE removing it cuts every way to a root, and nothing higher does', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), async (steps, numbers) => {
        const grown = new Grown(steps.map((step) => ({ ...step, s: true, t: false })))
        const dag = storeDag(await viewOf(grown.entries), root.id, 's')
        const tips = grown.pick(numbers)
        const avoids = (without: SealedEntry) => {
          const stack = tips.filter((tip) => tip !== without)
          for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
            if (at === root) return true
            const parents = storeNode(at.entry, 's')!.parents
            stack.push(...grown.entries.filter((entry) => entry !== without && parents.includes(entry.id)))
          }
          return false
        }
        const bases = [...grown.closureOf(tips)].filter((entry) => {
          return tips.every((tip) => grown.above.get(tip)!.has(entry)) && !avoids(entry)
        })
        const highest = bases.toSorted((p, q) => q.entry.height - p.entry.height)[0]
        assert.equal(mergeBase(dag, ids(tips)), highest?.id)
      }),
      { numRuns: 100 },
    )
  })
})

describe('reachability', () => {
  const [a, b] = [on(root), on(root)]
  const [a2, b2] = [on(a), on(b)]
  const foreign = makeRoot(2)

  it('D-22 tells reachable, unreachable and what is missing to tell', async () => {
    const view = await viewOf([root, a, b, a2, b2, foreign])
    const verdict = (from: readonly SealedEntry[], targets: readonly SealedEntry[]) => {
      return reachability(view, root.id, ids(from), ids(targets))
    }
    assert.deepEqual(verdict([a2], [a]), { kind: 'reachable' })
    assert.deepEqual(verdict([a2, b2], [a, b]), { kind: 'reachable' })
    assert.deepEqual(verdict([a2], [a2]), { kind: 'reachable' })
    assert.deepEqual(verdict([a2], [b]), { kind: 'unreachable' })
    assert.deepEqual(verdict([a], [a2]), { kind: 'unreachable' })
    assert.deepEqual(verdict([a2], []), { kind: 'reachable' })
    assert.deepEqual(verdict([], [a]), { kind: 'unreachable' })
    assert.throws(() => verdict([foreign], [a]), { code: 'document/foreign' })
    assert.throws(() => verdict([a], [foreign]), { code: 'document/foreign' })
    const unknown = on(a2)
    assert.deepEqual(verdict([unknown], [a]), { kind: 'indeterminate', missing: [unknown.id] })
    assert.deepEqual(verdict([a2], [unknown]), { kind: 'indeterminate', missing: [unknown.id] })
    const gap = on(unknown)
    const partial = await viewOf([root, a, a2], [gap])
    assert.deepEqual(reachability(partial, root.id, [gap.id], [a.id]), {
      kind: 'indeterminate',
      missing: [unknown.id],
    })
  })

  it('D-22 looks no lower than the lowest target', async () => {
    const chain = [root]
    for (let i = 0; i < 200; i++) chain.push(on(chain.at(-1)!))
    const view = await viewOf(chain)
    let looks = 0
    const counting: DocumentView = new Proxy(view, {
      get(target, name: keyof DocumentView) {
        looks += 1
        const value = target[name]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const [from, target, beside] = [chain.at(-1)!, chain.at(-4)!, on(chain.at(-5)!)]
    assert.equal(reachability(counting, root.id, [from.id], [target.id]).kind, 'reachable')
    assert.ok(looks <= 6, `${looks}`)
    looks = 0
    const wide = await viewOf([...chain, beside])
    assert.equal(reachability(wide, root.id, [from.id], [beside.id]).kind, 'unreachable')
  })
})
