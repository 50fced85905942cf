import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { BundleHasher } from '../../src/planes/rows/wire/bundle-hash.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { connected, expectOk, push, rowsServer } from '../helpers/rows-server.ts'

const postgres = postgresServer()
const user = (name: string) => ({ name, email: `${name}@example.com` })

describe('a push', () => {
  it('R-34 becomes a bundle that is read back as it was stored, with its hash', async () => {
    await using server = await rowsServer(postgres)
    const device = await connected(server.device('ann', 'a'))
    const id = randomUUID()
    const { body: committed } = expectOk(
      await push(device, 1, [{ table: 'users', key: id, payload: user('ada') }]),
    )
    const { body: page } = expectOk(await device.get('/sync/committed-bundles/1/rows'))
    const { rows, next_row_ordinal, has_more, ...bundle } = page
    assert.deepEqual(bundle, committed)
    assert.deepEqual([next_row_ordinal, has_more], [0, false])
    const hasher = new BundleHasher()
    for (const row of rows) hasher.add(row)
    assert.equal(hasher.finish().hex, committed.bundle_hash)
    const { body: pulled } = expectOk(await device.get('/sync/pull'))
    assert.deepEqual(pulled, { stable_bundle_seq: 1, bundles: [{ ...committed, rows }], has_more: false })
    assert.equal(rows[0].payload.name, 'ada')
  })
})
