import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Doc, type DocValue, deleted, delta, List, type ListItem, mergeDocs, mergeValues } from './doc.ts'
import { decodeDoc, docToJson, encodeDoc } from './doc-json.ts'
import { comparePositions, type Position, positionBetween, reduced } from './position.ts'

const json = (doc: Doc) => JSON.parse(Buffer.from(encodeDoc(doc)).toString()) as object
const same = (a: Doc, b: Doc, message = 'not the same') => assert.deepEqual(json(a), json(b), message)
const refused = { name: 'DocumentError', code: 'document/bad-value' }

const key = fc.constantFrom('a', 'b', 'c')
const position = fc
  .tuple(fc.integer({ min: -3, max: 3 }), fc.constantFrom(1, 2, 3), fc.constantFrom('u', 'v'))
  .map(([over, under, name]) => reduced(BigInt(over), BigInt(under), name))
const { doc: anyDoc } = fc.letrec<{ value: DocValue; doc: Doc; list: List }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant<DocValue>(deleted),
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
      return Number.isSafeInteger(Number(value)) ? Number(value) : value
    }),
    fc.string({ maxLength: 3, unit: 'binary' }),
    tie('doc'),
    tie('list'),
  ),
  doc: fc
    .tuple(fc.array(fc.tuple(key, tie('value')), { maxLength: 3 }), fc.boolean())
    .map(([pairs, atomic]) => new Doc(pairs, atomic)),
  list: fc
    .tuple(
      fc.uniqueArray(fc.tuple(position, tie('value')), {
        maxLength: 3,
        comparator: ([a], [b]) => comparePositions(a, b) === 0,
      }),
      fc.boolean(),
    )
    .map(([pairs, atomic]) => {
      const items = pairs.map(([position, value]): ListItem => ({ position, value }))
      return new List(
        items.sort((a, b) => comparePositions(a.position, b.position)),
        atomic,
      )
    }),
}))

describe('merging', () => {
  it('P-MERGE is associative: grouping deltas changes nothing, tombstones and replaced kinds included', () => {
    fc.assert(
      fc.property(anyDoc, anyDoc, anyDoc, (a, b, c) => {
        same(mergeDocs(mergeDocs(a, b), c), mergeDocs(a, mergeDocs(b, c)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('P-MERGE is idempotent, and the empty Doc changes nothing', () => {
    fc.assert(
      fc.property(anyDoc, (a) => {
        same(mergeDocs(a, a), a)
        same(mergeDocs(a, new Doc()), a)
        if (!a.atomic) same(mergeDocs(new Doc(), a), a)
      }),
    )
  })

  it('P-MERGE in place is merging, and leaves what others hold as it was', () => {
    fc.assert(
      fc.property(fc.array(anyDoc, { minLength: 1, maxLength: 5 }), (deltas) => {
        const before = deltas.map(json)
        const owner = {}
        const inPlace = deltas.reduce((state, next) => mergeDocs(state, next, owner), new Doc())
        const plain = deltas.reduce((state, next) => mergeDocs(state, next), new Doc())
        same(inPlace, plain)
        assert.deepEqual(deltas.map(json), before)
        const later = mergeDocs(inPlace, delta('a.b.c', 1), {})
        same(inPlace, plain, 'another owner copies')
        assert.equal(later.get('a.b.c'), 1)
      }),
      { numRuns: 300 },
    )
  })

  it('P-MERGE is commutative where no key is on both sides', () => {
    fc.assert(
      fc.property(anyDoc, anyDoc, (a, b) => {
        const plain = (doc: Doc, keys: readonly string[]) => {
          return new Doc([...doc.children].filter(([name]) => keys.includes(name)))
        }
        const [left, right] = [plain(a, ['a']), plain(b, ['b', 'c'])]
        same(mergeDocs(left, right), mergeDocs(right, left))
      }),
    )
  })

  it('D-25 keys of one side stay, keys of both go to the right, Docs field by field, a conflict of kinds to the right', () => {
    const left = Doc.from({ only: 1, both: 1, nested: { x: 1, y: 1 }, kind: { z: 1 } })
    const right = Doc.from({ both: 2, nested: { y: 2 }, kind: 'text' })
    assert.deepEqual(mergeDocs(left, right).toJson(), {
      only: 1,
      both: 2,
      nested: { x: 1, y: 2 },
      kind: 'text',
    })
  })

  it('D-26 a tombstone beats what came before it and loses to what comes after', () => {
    const gone = delta('k', deleted)
    assert.equal(mergeDocs(Doc.from({ k: 1 }), gone).get('k'), undefined)
    assert.equal(mergeDocs(gone, Doc.from({ k: 1 })).get('k'), 1)
    assert.equal(mergeDocs(gone, gone).isTombstone('k'), true)
    assert.equal(decodeDoc(encodeDoc(gone)).isTombstone('k'), true)
    assert.deepEqual(json(gone), { children: { k: 'Deleted' } })
  })

  it('D-27 an atomic Doc on the right replaces, one on the left is merged into and stays atomic', () => {
    const atomic = Doc.from({ c: 3 }, { atomic: true })
    const parts = [Doc.from({ a: 1 }), Doc.from({ b: 2 }), atomic, Doc.from({ d: 4 })] as const
    const [e1, e2, e3, e4] = parts
    const expected = { children: { c: { Int: 3 }, d: { Int: 4 } }, _a: true }
    assert.deepEqual(json(mergeDocs(mergeDocs(mergeDocs(e1, e2), e3), e4)), expected)
    assert.deepEqual(json(mergeDocs(e1, mergeDocs(e2, mergeDocs(e3, e4)))), expected)
    assert.deepEqual(json(mergeDocs(mergeDocs(e1, e2), mergeDocs(e3, e4))), expected)
  })

  it('D-28 what was deleted does not come back with what is made in its place', () => {
    const history = Doc.from({ node: { old: 1 }, list: [1, 2] })
    const staged = new Doc().without('node').with('node.new', 2)
    assert.deepEqual(mergeDocs(history, staged).toJson(), { node: { new: 2 }, list: [1, 2] })
    const replaced = new Doc().without('list').with('list', List.from([3]))
    assert.deepEqual(mergeDocs(history, replaced).get('list.0'), 3)
    assert.deepEqual(mergeDocs(history, decodeDoc(encodeDoc(replaced))).toJson().list, [3])
  })

  it('D-29 a value set below a scalar or a tombstone makes a Doc of it, and revives no sibling', () => {
    assert.deepEqual(Doc.from({ a: 'text' }).with('a.b', 1).toJson(), { a: { b: 1 } })
    const sibling = Doc.from({ a: { b: 1, c: 2 } })
      .without('a.b')
      .with('a.d', 3)
    assert.deepEqual(sibling.toJson(), { a: { c: 2, d: 3 } })
    assert.equal(sibling.isTombstone('a.b'), true)
    assert.equal(sibling.isTombstone('a.b.x'), false)
    assert.equal(sibling.get('a.b.x'), undefined)
  })
})

describe('paths', () => {
  const doc = Doc.from({ a: { list: ['x', { y: 1 }] }, text: 't' })
  it('lead through Docs by key and through lists by live index', () => {
    assert.equal(doc.get('a.list.0'), 'x')
    assert.equal(doc.get('a.list.1.y'), 1)
    assert.equal(doc.get('.a..list.0'), 'x')
    assert.equal(doc.get('text.more'), undefined)
    assert.equal(doc.get('a.list.x'), undefined)
    assert.equal(doc.get('a.list.9'), undefined)
    assert.ok(doc.has('a') && !doc.has('b'))
    assert.deepEqual([...doc.without('text').keys()], ['a'])
    assert.equal(doc.without('text').size, 1)
  })
  it('have a component and not too many', () => {
    assert.throws(() => doc.with('..', 1), { code: 'document/bad-path' })
    assert.throws(() => doc.with(Array(200).fill('x').join('.'), 1), { code: 'document/bad-path' })
  })
})

describe('lists', () => {
  const list = (...values: string[]) => List.from(values)
  it('D-30 insert, push, set and remove go by live index', () => {
    let some = list('a', 'b', 'c').remove(1)
    assert.deepEqual(some.live, ['a', 'c'])
    some = some.insert(1, 'x').insert(0, 'first').push('last').set(2, 'y')
    assert.deepEqual(some.live, ['first', 'a', 'y', 'c', 'last'])
    assert.equal(some.size, 5)
    for (const index of [-1, 6, 0.5]) assert.throws(() => some.insert(index, 'x'), refused)
    assert.throws(() => some.remove(5), refused)
    assert.deepEqual(some.remove(4).push('end').live, ['first', 'a', 'y', 'c', 'end'])
  })

  it('D-30 merging is a union in one order everywhere, and both of two inserts in one place stay', () => {
    const base = list('a', 'b')
    const [left, right] = [base.insert(1, 'l'), base.insert(1, 'r')]
    const [one, other] = [mergeValues(left, right), mergeValues(right, left)] as [List, List]
    assert.deepEqual(one.live, other.live)
    assert.deepEqual(one.live.toSorted(), ['a', 'b', 'l', 'r'])
    assert.equal(one.live[0], 'a')
    const again = decodeDoc(encodeDoc(Doc.from({ list: one }))).get('list') as List
    assert.deepEqual(again.items, one.items)
  })

  it('D-30 an edit writes what it changes, so it does not bring back what others remove meanwhile', () => {
    const base = list('a', 'b')
    const [mine, theirs] = [base.push('c').changesSince(base), base.remove(0).changesSince(base)]
    assert.equal(mine.items.length, 1)
    const both = [theirs, mine].reduce((now, next) => mergeValues(now, next) as List, base)
    assert.deepEqual(both.live, ['b', 'c'])
  })

  it('P-LIST any edits made apart merge to the same list in either order', () => {
    const edit = fc.record({ at: fc.nat(9), what: fc.constantFrom('insert', 'remove'), value: fc.nat(99) })
    fc.assert(
      fc.property(fc.array(edit), fc.array(edit), (first, second) => {
        const base = list('a', 'b', 'c')
        const apply = (edits: typeof first) =>
          edits.reduce((now, { at, what, value }) => {
            if (what === 'insert') return now.insert(at % (now.size + 1), value)
            return now.size === 0 ? now : now.remove(at % now.size)
          }, base)
        const [left, right] = [apply(first).changesSince(base), apply(second).changesSince(base)]
        const one = mergeValues(mergeValues(base, left), right) as List
        const other = mergeValues(mergeValues(base, right), left) as List
        assert.deepEqual(one.items, other.items)
      }),
    )
  })

  it('D-30 there is room for thousands of inserts into one gap, and then a clear refusal', () => {
    let [before, after] = [positionBetween(undefined, undefined), undefined] as [
      Position,
      Position | undefined,
    ]
    after = positionBetween(before, undefined)
    for (let i = 0; i < 3_000; i++) {
      const next = positionBetween(before, after)
      assert.ok(comparePositions(before, next) < 0 && comparePositions(next, after) < 0)
      if (i % 2) before = next
      else after = next
    }
    const tight = { numerator: 1n, denominator: 1n << 65_536n, uniqueId: 'x' }
    assert.throws(() => positionBetween({ ...tight, numerator: 0n, denominator: 1n }, tight), refused)
  })
})

describe('payloads', () => {
  it('D-26 D-30 say the same after they were written and read, and equal Docs have equal bytes', () => {
    fc.assert(
      fc.property(anyDoc, (doc) => {
        const again = decodeDoc(encodeDoc(doc))
        assert.deepEqual(docToJson(again), docToJson(doc))
        assert.deepEqual(encodeDoc(again), encodeDoc(doc))
        const shuffled = new Doc([...doc.children].reverse(), doc.atomic)
        assert.deepEqual(encodeDoc(shuffled), encodeDoc(doc))
      }),
    )
  })

  it('integers of 64 bits are exact, and others are refused', () => {
    for (const value of [2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n])
      assert.equal(decodeDoc(encodeDoc(Doc.from({ value }))).get('value'), value)
    assert.equal(decodeDoc(Buffer.from('{"children":{"k":{"Int":5}}}')).get('k'), 5)
    for (const value of [0.5, Number.NaN, 2 ** 53, 2n ** 63n])
      assert.throws(() => Doc.from({ value }), refused)
    assert.throws(() => Doc.from({ value: undefined as unknown as null }), refused)
  })

  const deep = `${'{"children":{"k":{"Doc":'.repeat(5_000)}{"children":{}}${'}}}'.repeat(5_000)}`
  const bad: Readonly<Record<string, string>> = {
    'no JSON': '{',
    'a list': '[]',
    'no children': '{}',
    'another version': '{"children":{},"_v":1}',
    'an unknown field': '{"children":{},"x":1}',
    'an unknown kind': '{"children":{"k":{"Float":1}}}',
    'two kinds': '{"children":{"k":{"Int":1,"Text":"x"}}}',
    'a fraction': '{"children":{"k":{"Int":1.5}}}',
    'a number beyond 64 bits': '{"children":{"k":{"Int":9223372036854775808}}}',
    'a long number with an exponent': '{"children":{"k":{"Int":1e300}}}',
    'a position twice':
      '{"children":{"k":{"List":[[{"numerator":1,"denominator":1,"unique_id":"u"},"Null"],[{"numerator":2,"denominator":2,"unique_id":"u"},"Null"]]}}}',
    'a position over nothing':
      '{"children":{"k":{"List":[[{"numerator":1,"denominator":0,"unique_id":"u"},"Null"]]}}}',
    'a depth no stack would stand': deep,
  }
  for (const [name, text] of Object.entries(bad))
    it(`with ${name} are refused`, () => {
      assert.throws(() => decodeDoc(Buffer.from(text)), refused)
    })

  it('D-7 a version of 0 may be spelled out, and any other is refused', () => {
    assert.equal(decodeDoc(Buffer.from('{"_v":0,"children":{}}')).size, 0)
    for (const version of ['1', '-1', '"0"', 'null'])
      assert.throws(() => decodeDoc(Buffer.from(`{"_v":${version},"children":{}}`)), refused, version)
  })

  it('take a key called __proto__ for what it is', () => {
    const doc = decodeDoc(Buffer.from('{"children":{"__proto__":{"Int":1}}}'))
    assert.equal(doc.get('__proto__'), 1)
    assert.equal(Buffer.from(encodeDoc(doc)).toString(), '{"children":{"__proto__":{"Int":1}}}')
  })
})
