import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import { compareIds, type EntryId, sortedIds } from '../../src/planes/documents/entry/entry-id.ts'
import type { DocumentStorage, DocumentView } from '../../src/planes/documents/storage/document-storage.ts'
import { makeEntry, makeRoot } from '../helpers/entry-maker.ts'

export interface DocumentStorageSetup extends AsyncDisposable {
  readonly storage: DocumentStorage
  /** The same data, opened again after everything was closed; undefined where nothing outlives the process. */
  reopen?(): Promise<DocumentStorageSetup>
}

const ids = (entries: readonly SealedEntry[]) => entries.map(({ id }) => id)
const byKey = (a: SealedEntry, b: SealedEntry) => a.entry.height - b.entry.height || compareIds(a.id, b.id)
const data = (text: string) => [{ name: 'notes', data: text }]

/** What every engine must do alike. */
export function documentStorageSuite(name: string, setup: () => Promise<DocumentStorageSetup>): void {
  describe(`document storage ${name}`, () => {
    const root = makeRoot(1)
    const other = makeRoot(2)
    const left = makeEntry([root], data('left'))
    const right = makeEntry([root], data('right'))
    const join = makeEntry([left, right], data('join'))
    const all = [root, left, right, join]

    async function filled(storage: DocumentStorage, entries: readonly SealedEntry[]): Promise<void> {
      await storage.write((batch) => {
        for (const entry of entries) batch.add(entry, 'verified')
      })
    }

    it('keeps the bytes as they came, and serves no entry that is not verified', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root])
      await storage.write((batch) => {
        batch.add(left, 'unverified')
        batch.setWants(left.id, [{ database: root.id, id: right.id }])
      })
      await storage.read((view) => {
        assert.deepEqual(view.entry(root.id)?.bytes, root.bytes)
        assert.equal(view.status(left.id), 'unverified')
        assert.deepEqual(view.held(left.id)?.sealed.bytes, left.bytes)
        assert.equal(view.held(left.id)?.database, root.id)
        assert.equal(view.entry(left.id), undefined)
        assert.deepEqual(ids(view.list(root.id, { limit: 9 })), [root.id])
        assert.deepEqual(view.tips(root.id), [root.id])
        assert.equal(view.count(root.id), 1)
        assert.equal(view.status(right.id), undefined)
        assert.equal(view.held(right.id), undefined)
      })
    })

    it('D-14 the frontier of a diamond is its last entry, whichever side came first', async () => {
      for (const order of [all, [root, right, left, join]]) {
        await using world = await setup()
        await filled(world.storage, order.slice(0, 3))
        assert.deepEqual(
          await world.storage.read((view) => view.tips(root.id)),
          sortedIds(ids([left, right])),
        )
        await filled(world.storage, order.slice(3))
        assert.deepEqual(await world.storage.read((view) => view.tips(root.id)), [join.id])
      }
    })

    it('D-21 D-13 lists by height and then by the bytes of the id, in pages, without gaps or repeats', async () => {
      await using world = await setup()
      const { storage } = world
      const wide = Array.from({ length: 60 }, (_, i) => makeEntry([root], data(`${i}`)))
      await filled(storage, [root, ...wide, other, makeEntry(wide, data('end'))])
      const expected = [root, ...wide.toSorted(byKey), makeEntry(wide, data('end'))]
      assert.notDeepEqual(ids(expected).slice(1, -1), ids(wide).toSorted())
      const seen: SealedEntry[] = []
      for (;;) {
        const last = seen.at(-1)
        const after = last && { height: last.entry.height, id: last.id }
        const page = await storage.read((view) => view.list(root.id, { after, limit: 7 }))
        if (page.length === 0) break
        seen.push(...page)
      }
      assert.deepEqual(ids(seen), ids(expected))
      const from = await storage.read((view) => view.list(root.id, { fromHeight: 2, limit: 9 }))
      assert.deepEqual(ids(from), [expected.at(-1)!.id])
      assert.deepEqual(await storage.read((view) => view.databases()), sortedIds([root.id, other.id]))
    })

    it('lists the bytes as they are served in the same order, and tells which of some ids are held', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root, left, right, other])
      await storage.write((batch) => {
        batch.add(join, 'unverified')
        batch.decide(join.id, 'failed')
      })
      await storage.read((view) => {
        const plain = view.list(root.id, { limit: 9 })
        const listed = view.listBytes(root.id, { limit: 9 })
        assert.deepEqual(
          listed.map(({ key, bytes }) => [key, Buffer.from(bytes)]),
          plain.map(({ id, entry, bytes }) => [{ height: entry.height, id }, Buffer.from(bytes)]),
        )
        const after = listed[1]!.key
        assert.deepEqual(view.listBytes(root.id, { after, limit: 1 }), listed.slice(2, 3))
        assert.deepEqual(view.listBytes(root.id, { after: listed[2]!.key, limit: 9 }), [])
        const absent = makeEntry([right], data('absent'))
        const asked = ids([absent, join, other, left])
        assert.deepEqual(view.present(asked), new Set(ids([join, other, left])))
        assert.deepEqual(view.present([]), new Set())
      })
    })

    it('an entry is ready once nothing it waits for is missing, whether or not it was judged', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root])
      const ready = () => storage.read((view) => view.isReady(root.id))
      assert.equal(await ready(), false)
      await storage.write((batch) => {
        batch.add(join, 'unverified')
        batch.setWants(
          join.id,
          ids([left, right]).map((id) => ({ database: root.id, id })),
        )
      })
      assert.equal(await ready(), false)
      await filled(storage, [left])
      assert.equal(await ready(), false)
      await filled(storage, [right])
      assert.equal(await ready(), true)
      await storage.write((batch) => batch.decide(join.id, 'failed'))
      assert.equal(await ready(), false)
    })

    it('D-59 a held entry that comes again changes nothing', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root, left])
      await storage.write((batch) => batch.add(left, 'unverified'))
      assert.equal(await storage.read((view) => view.status(left.id)), 'verified')
      await storage.write((batch) => {
        batch.add(right, 'unverified')
        batch.decide(right.id, 'failed')
        batch.decide(right.id, 'verified')
        batch.add(right, 'verified')
        batch.drop(left.id)
        batch.decide(left.id, 'failed')
      })
      await storage.read((view) => {
        assert.equal(view.status(right.id), 'failed')
        assert.equal(view.status(left.id), 'verified')
        assert.deepEqual(view.tips(root.id), [left.id])
        assert.equal(view.count(root.id), 2)
        assert.deepEqual(ids(view.listByStatus(root.id, 'failed')), [right.id])
        assert.equal(view.heldCount(root.id, 'failed'), 1)
        assert.equal(view.heldCount(root.id), 0)
      })
      await storage.write((batch) => batch.drop(right.id))
      assert.equal(await storage.read((view) => view.status(right.id)), undefined)
    })

    it('remembers what held entries wait for until it is decided', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root])
      await storage.write((batch) => {
        batch.add(join, 'unverified')
        batch.setWants(join.id, [
          { database: root.id, id: left.id },
          { database: root.id, id: right.id },
          { database: other.id, id: other.id },
        ])
      })
      await storage.read((view) => {
        assert.deepEqual(view.wanted(root.id, 9), sortedIds([left.id, right.id]))
        assert.deepEqual(view.wanted(root.id, 1), sortedIds([left.id, right.id]).slice(0, 1))
        assert.deepEqual(view.wanted(other.id, 9), [other.id])
        assert.deepEqual(view.wantedDatabases(), sortedIds([root.id, other.id]))
        assert.deepEqual(view.waitingFor(left.id), [join.id])
        assert.deepEqual(view.waitingFor(root.id), [])
        assert.deepEqual(view.databases(), [root.id])
        assert.deepEqual(ids(view.listByStatus(root.id, 'unverified')), [join.id])
        assert.equal(view.heldCount(root.id), 1)
        assert.equal(view.heldCount(root.id, 'failed'), 0)
      })
      await storage.write((batch) => {
        batch.add(left, 'unverified')
        batch.setWants(left.id, [])
      })
      assert.deepEqual(await storage.read((view) => view.wanted(root.id, 9)), [right.id])
      await storage.write((batch) => {
        batch.decide(left.id, 'verified')
        batch.add(right, 'verified')
        batch.setWants(join.id, [])
        batch.decide(join.id, 'verified')
      })
      await storage.read((view) => {
        assert.deepEqual(view.wantedDatabases(), [])
        assert.deepEqual(view.tips(root.id), [join.id])
        assert.equal(view.count(root.id), 4)
      })
    })

    it('a batch that fails leaves nothing, and says so', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, [root])
      const hooks: string[] = []
      const attempt = storage.write((batch) => {
        batch.afterCommit(() => hooks.push('kept'))
        batch.onRollback(() => hooks.push('lost'))
        batch.add(left, 'verified')
        batch.add(right, 'unverified')
        batch.setWants(right.id, [{ database: root.id, id: join.id }])
        batch.setValue('name', 'x')
        batch.saveLineage(left.id, Uint8Array.of(1))
        batch.saveState(root.id, 'notes', { tips: [left.id], count: 1 }, Uint8Array.of(2), 1)
        assert.equal(batch.entry(left.id)?.id, left.id)
        throw new Error('no')
      })
      await assert.rejects(attempt, /no/)
      const look = (view: DocumentView) => {
        assert.equal(view.entry(left.id), undefined)
        assert.equal(view.status(left.id), undefined)
        assert.equal(view.status(right.id), undefined)
        assert.deepEqual(view.wanted(root.id, 9), [])
        assert.deepEqual(view.tips(root.id), [root.id])
        assert.equal(view.count(root.id), 1)
        assert.equal(view.value('name'), undefined)
        assert.equal(view.lineage(left.id), undefined)
        assert.deepEqual(view.states(root.id, 'notes'), [])
      }
      await storage.read(look)
      assert.deepEqual(hooks, ['lost'])
      await storage.write((batch) => batch.afterCommit(() => hooks.push('kept')))
      assert.deepEqual(hooks, ['lost', 'kept'])
    })

    it('keeps values, lineages and the newest states', async () => {
      await using world = await setup()
      const { storage } = world
      await filled(storage, all)
      await storage.write((batch) => {
        batch.setValue('a', '1')
        batch.setValue('a', '2')
        batch.setValue('b', '3')
        batch.setValue('b', undefined)
        batch.saveLineage(left.id, Uint8Array.of(1, 2))
        const states: [EntryId[], number][] = [
          [[root.id], 1],
          [[right.id, left.id], 3],
          [[join.id], 4],
          [[left.id], 2],
        ]
        for (const [tips, count] of states)
          batch.saveState(root.id, 'notes', { tips, count }, Uint8Array.of(count), 2)
      })
      await storage.read((view) => {
        assert.equal(view.value('a'), '2')
        assert.equal(view.value('b'), undefined)
        assert.deepEqual([...view.lineage(left.id)!], [1, 2])
        assert.equal(view.lineage(right.id), undefined)
        const kept = view.states(root.id, 'notes')
        assert.deepEqual(
          kept.map(({ count }) => count),
          [4, 3, 2],
        )
        assert.deepEqual(kept[1]!.tips, sortedIds([left.id, right.id]))
        assert.deepEqual([...view.state(root.id, 'notes', [left.id, right.id])!], [3])
        assert.equal(view.state(root.id, 'notes', [root.id]), undefined)
        assert.deepEqual(view.states(root.id, 'other'), [])
      })
      await storage.write((batch) => batch.clearStates(root.id))
      assert.deepEqual(await storage.read((view) => view.states(root.id, 'notes')), [])
    })

    it('a write that is given up while it waits writes nothing', async () => {
      await using world = await setup()
      const abort = new AbortController()
      abort.abort(new Error('enough'))
      const attempt = world.storage.write((batch) => batch.add(root, 'verified'), { signal: abort.signal })
      await assert.rejects(attempt, /enough/)
      assert.equal(await world.storage.read((view) => view.status(root.id)), undefined)
    })

    it('P-TIPS the frontier and the list are those of the whole DAG, in any topological order of arrival', async () => {
      await fc.assert(
        fc.asyncProperty(randomDag, async (shape) => {
          await using world = await setup()
          const entries = grow(shape)
          for (const entry of entries) await filled(world.storage, [entry])
          const parents = new Set(entries.flatMap(({ entry }) => entry.parents))
          const tips = entries.filter(({ id }) => !parents.has(id))
          await world.storage.read((view) => {
            assert.deepEqual(view.tips(root.id), sortedIds(ids(tips)))
            assert.deepEqual(ids(view.list(root.id, { limit: 99 })), ids(entries.toSorted(byKey)))
            assert.equal(view.count(root.id), entries.length)
          })
        }),
        { numRuns: 10 },
      )
    })

    it('K1 is the same after it was closed and opened again', async () => {
      await using world = await setup()
      if (world.reopen === undefined) return
      await filled(world.storage, all)
      await using again = await world.reopen()
      await again.storage.read((view) => {
        assert.deepEqual(view.tips(root.id), [join.id])
        assert.deepEqual(ids(view.list(root.id, { limit: 9 })), ids(all.toSorted(byKey)))
        assert.deepEqual(view.entry(join.id)?.bytes, join.bytes)
      })
    })

    /** Per entry after the root: which of the earlier ones are its parents. */
    const randomDag = fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), { maxLength: 12 })

    function grow(shape: readonly (readonly number[])[]): SealedEntry[] {
      const entries = [root]
      for (const [i, picks] of shape.entries()) {
        const parents = new Set(picks.map((pick) => entries[pick % entries.length]!))
        entries.push(makeEntry([...parents], data(`${i}`)))
      }
      return entries
    }
  })
}
