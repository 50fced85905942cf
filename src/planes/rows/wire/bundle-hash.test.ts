import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { BundleHasher, type HashedRow } from './bundle-hash.ts'
import { parseJson } from './json-text.ts'
import { type PushedRow, RequestHasher } from './request-hash.ts'
import { portableSha256, type Sha256 } from './sha256.ts'

/** Keeps the bytes that are hashed. */
function recorder() {
  const parts: Uint8Array[] = []
  const open = (): Sha256 => {
    const hash = createHash('sha256')
    return {
      update: (bytes) => {
        parts.push(bytes.slice())
        hash.update(bytes)
      },
      digest: () => hash.digest(),
    }
  }
  return { open, text: () => Buffer.concat(parts).toString() }
}

const user = parseJson(
  '{"id":"11111111-2222-3333-4444-555555555555","name":"Ada","email":"ada@example.com","created_at":"2026-03-24T18:42:11+00:00","updated_at":"2026-03-24T18:42:11+00:00"}',
) as HashedRow['payload'] & object
const userKey = { id: '11111111-2222-3333-4444-555555555555' }

const exampleA = {
  rows: [{ schema: 'business', table: 'users', key: userKey, op: 'INSERT', row_version: 1, payload: user }],
  bytes:
    '[{"key":{"id":"11111111-2222-3333-4444-555555555555"},"op":"INSERT","payload":{"created_at":"2026-03-24T18:42:11+00:00","email":"ada@example.com","id":"11111111-2222-3333-4444-555555555555","name":"Ada","updated_at":"2026-03-24T18:42:11+00:00"},"row_ordinal":0,"row_version":1,"schema":"business","table":"users"}]',
  byteCount: 314,
  hash: 'a43728ff9a71f61fb57948e04679d70a7b813c2c51482feeaf745d937fe9045a',
} as const

const exampleB = {
  rows: [
    {
      schema: 'business',
      table: 'typed_rows',
      key: { id: '0f8fad5b-d9cb-469f-a165-70867728950e' },
      op: 'UPDATE',
      row_version: 7,
      payload: parseJson(
        '{ "rating": 6.57111473696007, "id":"0f8fad5b-d9cb-469f-a165-70867728950e", "name":"Tom & <Jerry>", "note":"café \\u2028 😀\\t\\"q\\"", "count_value": 9007199254740993, "created_at":null, "data":"ABEi/w==", "enabled_flag": 1.0 }',
      ),
    },
    {
      schema: 'business',
      table: 'files',
      key: { id: '7c9e6679-7425-40de-944b-e07fc1f90ae7' },
      op: 'DELETE',
      row_version: 7,
      payload: null,
    },
    {
      schema: 'business',
      table: 'notes',
      key: { id: 'doc-42' },
      op: 'INSERT',
      row_version: 7,
      payload: parseJson(
        '{"whole":42.0,"tiny":0.12e-6,"neg":-0.50,"meta":{"b":[1,2.5,{"z":1,"a":true}],"a":null},"big":1000000000000000000000,"id":"doc-42"}',
      ),
    },
  ],
  bytes:
    '[{"key":{"id":"0f8fad5b-d9cb-469f-a165-70867728950e"},"op":"UPDATE","payload":{"count_value":9007199254740992,"created_at":null,"data":"ABEi/w==","enabled_flag":1,"id":"0f8fad5b-d9cb-469f-a165-70867728950e","name":"Tom \\u0026 \\u003cJerry\\u003e","note":"café \\u2028 😀\\t\\"q\\"","rating":6.57111473696007},"row_ordinal":0,"row_version":7,"schema":"business","table":"typed_rows"},{"key":{"id":"7c9e6679-7425-40de-944b-e07fc1f90ae7"},"op":"DELETE","payload":null,"row_ordinal":1,"row_version":7,"schema":"business","table":"files"},{"key":{"id":"doc-42"},"op":"INSERT","payload":{"big":1e+21,"id":"doc-42","meta":{"a":null,"b":[1,2.5,{"a":true,"z":1}]},"neg":-0.5,"tiny":1.2e-7,"whole":42},"row_ordinal":2,"row_version":7,"schema":"business","table":"notes"}]',
  byteCount: 758,
  hash: '1b1f3e2d774dd51b3059f98be5526785165f6567fffc03b89ad9e4f46282f472',
} as const

describe('bundle hash', () => {
  for (const [name, example] of [
    ['A', exampleA],
    ['B', exampleB],
  ] as const)
    it(`R-34 example ${name} has its bytes and its hash`, () => {
      const { open, text } = recorder()
      const hasher = new BundleHasher(open)
      for (const row of example.rows) hasher.add(row as HashedRow)
      const { rowCount, byteCount, hex } = hasher.finish()
      assert.equal(text(), example.bytes)
      assert.equal(rowCount, example.rows.length)
      assert.equal(byteCount, example.byteCount)
      assert.equal(hex, example.hash)
    })

  it('R-34 the portable SHA-256 agrees with that of Node', () => {
    const hasher = new BundleHasher(portableSha256)
    for (const row of exampleB.rows) hasher.add(row as HashedRow)
    assert.equal(hasher.finish().hex, exampleB.hash)
  })

  it('a bundle without rows is an empty list', () => {
    const { open, text } = recorder()
    assert.equal(new BundleHasher(open).finish().byteCount, 2)
    assert.equal(text(), '[]')
  })
})

describe('push request hash', () => {
  it('R-34 example C has its bytes and its hash', () => {
    const rows: readonly PushedRow[] = [
      { schema: 'business', table: 'users', key: userKey, op: 'INSERT', base_row_version: 0, payload: user },
      {
        schema: 'business',
        table: 'posts',
        key: { id: '66666666-7777-8888-9999-aaaaaaaaaaaa' },
        op: 'DELETE',
        base_row_version: 5,
      },
    ]
    const { open, text } = recorder()
    const hasher = new RequestHasher(open)
    for (const row of rows) hasher.add(row)
    assert.equal(hasher.finish(), '629db4eacb568e173bd21b2cf17d281869737ca95c98cd1b9e099f4c863d2c24')
    assert.equal(
      text(),
      '[{"base_row_version":0,"key":{"id":"11111111-2222-3333-4444-555555555555"},"op":"INSERT","payload":{"created_at":"2026-03-24T18:42:11+00:00","email":"ada@example.com","id":"11111111-2222-3333-4444-555555555555","name":"Ada","updated_at":"2026-03-24T18:42:11+00:00"},"schema":"business","table":"users"},{"base_row_version":5,"key":{"id":"66666666-7777-8888-9999-aaaaaaaaaaaa"},"op":"DELETE","schema":"business","table":"posts"}]',
    )
    assert.equal(Buffer.byteLength(text()), 428)
    const portable = new RequestHasher()
    for (const row of rows) portable.add(row)
    assert.equal(portable.finish(), '629db4eacb568e173bd21b2cf17d281869737ca95c98cd1b9e099f4c863d2c24')
  })
})
