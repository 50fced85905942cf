import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { createSyncService, ScopeManager } from '../../src/planes/rows/server/index.ts'
import { BundleHasher } from '../../src/planes/rows/wire/bundle-hash.ts'
import { parseJson } from '../../src/planes/rows/wire/json-text.ts'
import { pushChunkRequestSchema } from '../../src/planes/rows/wire/push.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import {
  type Answer,
  connected,
  type Device,
  expectOk,
  openRowsServer,
  type PushedRow,
  push,
  type RowsServer,
  rowsServer,
  stage,
  wireRow,
} from '../helpers/rows-server.ts'

const postgres = postgresServer()
let server: RowsServer
before(async () => {
  server = await rowsServer(postgres)
})

let users = 0
const freshUser = () => `user ${++users}`
const fresh = (): Promise<Device> => connected(server.device(freshUser(), 'a'))
const user = (name: string) => ({ name, email: `${name}@example.com` })
const insertOf = (key: string = randomUUID()): PushedRow => ({ table: 'users', key, payload: user('ada') })
const sql = async (text: string, ...values: unknown[]) =>
  (await server.database.pool.query(text, values)).rows
const latest = async (device: Device): Promise<number> =>
  (await device.get('/sync/pull?max_bundles=1')).body.stable_bundle_seq
const refusal = ({ status, body }: Answer) => [status, body?.error]
const create = (device: Device, source_bundle_id: number, planned_row_count = 1, more = {}) =>
  device.post('/sync/push-sessions', { source_bundle_id, planned_row_count, ...more })
const chunk = (device: Device, id: string, start_row_ordinal: number, rows: readonly unknown[]) =>
  device.post(`/sync/push-sessions/${id}/chunks`, { start_row_ordinal, rows })
const commit = (device: Device, id: string) => device.post(`/sync/push-sessions/${id}/commit`)

describe('sequences and sources', () => {
  it('R-15 bundles of a user are numbered without a gap, whoever pushes at the same time', async () => {
    const userId = freshUser()
    const devices = await Promise.all(
      ['a', 'b', 'c'].map((source) => connected(server.device(userId, source))),
    )
    const other = await fresh()
    const seqs: number[] = []
    const pushAll = async (device: Device) => {
      for (let id = 1; id <= 6; id++)
        seqs.push(expectOk(await push(device, id, [insertOf()])).body.bundle_seq)
    }
    await Promise.all([...devices.map(pushAll), push(other, 1, [insertOf()]).then(expectOk)])
    assert.deepEqual(
      seqs.sort((a, b) => a - b),
      Array.from({ length: 18 }, (_, i) => i + 1),
    )
    assert.equal(await latest(other), 1)
  })

  it('R-15 R-48 also when several processes serve one user', async () => {
    const lasting = { ...server.database, [Symbol.asyncDispose]: async () => {} }
    await using second = await openRowsServer(lasting)
    const userId = freshUser()
    const seqs: number[] = []
    const pushAll = async (device: Device) => {
      for (let id = 1; id <= 8; id++)
        seqs.push(expectOk(await push(device, id, [insertOf()])).body.bundle_seq)
    }
    const writeAll = async ({ service }: RowsServer) => {
      for (let i = 0; i < 8; i++) {
        const { bundle } = await new ScopeManager(service).execWrite(
          userId,
          { writerId: 'w' },
          async (tx) => {
            await tx.query(
              `insert into business.users (id, name, email) values (gen_random_uuid(), 'x', 'x')`,
            )
          },
        )
        seqs.push(bundle.bundle_seq)
      }
    }
    const [a, b] = await Promise.all([
      connected(server.device(userId, 'a')),
      connected(second.device(userId, 'b')),
    ])
    await Promise.all([pushAll(a), pushAll(b), writeAll(server), writeAll(second)])
    assert.deepEqual(
      seqs.sort((x, y) => x - y),
      Array.from({ length: 32 }, (_, i) => i + 1),
    )
    const { body } = expectOk(await a.get('/sync/pull'))
    assert.deepEqual(
      body.bundles.map((bundle: { bundle_seq: number }) => bundle.bundle_seq),
      seqs,
    )
    const written = body.bundles.filter((bundle: { source_id: string }) => bundle.source_id === 'w')
    assert.deepEqual(
      written.map((bundle: { source_bundle_id: number }) => bundle.source_bundle_id),
      Array.from({ length: 16 }, (_, i) => i + 1),
    )
  })

  it('R-16 a source counts from 1 without a gap', async () => {
    const device = await fresh()
    assert.deepEqual(refusal(await create(device, 2)), [409, 'source_sequence_out_of_order'])
    expectOk(await push(device, 1, [insertOf()]))
    assert.deepEqual(refusal(await create(device, 3)), [409, 'source_sequence_out_of_order'])
    expectOk(await push(device, 2, [insertOf()]))
  })

  it('R-17 a tuple has one session, and one that was overtaken is refused at commit', async () => {
    const device = await fresh()
    const first = await stage(device, 1, [insertOf()])
    const second = await stage(device, 1, [insertOf()])
    assert.deepEqual(refusal(await commit(device, first)), [404, 'push_session_not_found'])
    // Another process, or go-oversync, may have both staged; the unique tuple only forbids two at the same time.
    await sql(`update sync.push_sessions set source_bundle_id = 2 where push_id = $1`, second)
    const third = await stage(device, 1, [insertOf()])
    expectOk(await commit(device, third))
    expectOk(await commit(device, second))
    const fourth = await stage(device, 3, [insertOf()])
    await sql(`update sync.push_sessions set source_bundle_id = 9 where push_id = $1`, fourth)
    assert.deepEqual(refusal(await commit(device, fourth)), [409, 'source_sequence_changed'])
  })

  it('R-17 a push is refused at commit when its number was used while it was uploaded', async () => {
    const device = await fresh()
    const staged = await stage(device, 1, [insertOf()])
    await server.service.withinSyncBundle(device, { sourceId: 'a', sourceBundleId: 1 }, async (tx) => {
      await tx.query(`insert into business.users (id, name, email) values (gen_random_uuid(), 'x', 'x')`)
    })
    assert.deepEqual(refusal(await commit(device, staged)), [409, 'source_sequence_changed'])
    assert.equal(await latest(device), 1)
  })

  it('R-18 a tuple that was committed is answered with what it became', async () => {
    const device = await fresh()
    const { body: committed } = expectOk(await push(device, 1, [insertOf(), insertOf()]))
    for (const planned of [2, 7]) {
      const again = expectOk(await create(device, 1, planned))
      assert.deepEqual(again.body, { status: 'already_committed', ...committed })
    }
    assert.equal(await latest(device), 1)
    assert.deepEqual(
      await sql(
        'select 1 from sync.push_sessions join sync.user_state using (user_pk) where user_id = $1',
        device.userId,
      ),
      [],
    )
  })

  it('R-18 a tuple that was committed with other content is refused, if the client says what it pushes', async () => {
    const device = await fresh()
    const hash = 'ab'.repeat(32)
    const { body } = expectOk(await create(device, 1, 1, { canonical_request_hash: hash }))
    expectOk(await chunk(device, body.push_id, 0, [wireRow(insertOf())]))
    expectOk(await commit(device, body.push_id))
    assert.equal(
      (await create(device, 1, 1, { canonical_request_hash: hash })).body.status,
      'already_committed',
    )
    assert.equal((await create(device, 1)).body.status, 'already_committed')
    assert.deepEqual(refusal(await create(device, 1, 1, { canonical_request_hash: 'cd'.repeat(32) })), [
      409,
      'push_content_changed',
    ])
  })

  it('R-18 replays are counted in the status', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [insertOf()]))
    const count = async () => (await server.service.status()).accepted_push_replay_count
    const start = await count()
    await create(device, 1)
    assert.equal((await count()) - start, 1)
  })

  it('R-18 a tuple whose bundle is at the floor is not told any more, though its record may remain', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [insertOf()]))
    expectOk(await push(device, 2, [insertOf()]))
    await sql('update sync.user_state set retained_bundle_floor = 1 where user_id = $1', device.userId)
    assert.deepEqual(refusal(await create(device, 1)), [409, 'history_pruned'])
    assert.deepEqual(refusal(await device.get('/sync/committed-bundles/1/rows')), [409, 'history_pruned'])
    assert.equal((await create(device, 2)).body.status, 'already_committed')
  })

  it('R-20 a retired source cannot push; its successor begins with 1', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [insertOf()]))
    const staged = await stage(device, 2, [insertOf()])
    expectOk(
      await device.post('/sync/snapshot-sessions', {
        source_replacement: { previous_source_id: 'a', new_source_id: 'b', reason: 'source_retired' },
      }),
    )
    const { status, body } = await create(device, 2)
    assert.deepEqual(
      [status, body.error, body.source_id, body.replaced_by_source_id],
      [409, 'source_retired', 'a', 'b'],
    )
    assert.deepEqual(refusal(await commit(device, staged)), [409, 'source_retired'])
    assert.equal((await create(device, 1)).body.status, 'already_committed')
    const next = server.device(device.userId, 'b')
    assert.deepEqual(refusal(await create(next, 2)), [409, 'source_sequence_out_of_order'])
    expectOk(await push(next, 1, [insertOf()]))
    assert.deepEqual(
      await sql(
        `select state, max_committed_source_bundle_id::int as max from sync.source_state
      where user_pk = (select user_pk from sync.user_state where user_id = $1) order by source_id`,
        device.userId,
      ),
      [
        { state: 'retired', max: 1 },
        { state: 'active', max: 1 },
      ],
    )
  })

  it('R-21 users do not meet, though their sources and keys are the same', async () => {
    const [ann, eve] = [await fresh(), await fresh()]
    const key = randomUUID()
    expectOk(await push(ann, 1, [insertOf(key)]))
    const stolen = await push(eve, 1, [{ table: 'users', key, op: 'UPDATE', base: 1, payload: user('eve') }])
    assert.deepEqual(refusal(stolen), [409, 'push_conflict'])
    assert.equal(stolen.body.conflict.server_row, null)
    expectOk(await push(eve, 1, [{ ...insertOf(key), payload: user('eve') }]))
    const shown = await push(eve, 2, [{ table: 'users', key, op: 'DELETE', base: 9 }])
    assert.equal(shown.body.conflict.server_row.name, 'eve')
    expectOk(await push(eve, 2, [{ table: 'users', key, op: 'DELETE', base: 1 }]))
    assert.deepEqual(
      await sql('select _sync_scope_id as owner, name from business.users where id = $1', key),
      [{ owner: ann.userId, name: 'ada' }],
    )
  })

  it('R-22 the source is that of the header, whatever a body says', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, 1, 1, { source_id: 'evil' }))
    expectOk(await chunk(device, body.push_id, 0, [{ ...wireRow(insertOf()), source_id: 'evil' }]))
    assert.equal((await commit(device, body.push_id)).body.source_id, 'a')
  })
})

describe('staging', () => {
  it('R-23 R-41 staged rows are nowhere to be seen before the commit', async () => {
    const device = await fresh()
    const key = randomUUID()
    const id = await stage(device, 1, [insertOf(key)])
    assert.deepEqual((await device.get('/sync/pull')).body, {
      stable_bundle_seq: 0,
      bundles: [],
      has_more: false,
    })
    assert.equal((await device.post('/sync/snapshot-sessions')).body.row_count, 0)
    assert.deepEqual(await sql('select * from business.users where id = $1', key), [])
    expectOk(await commit(device, id))
    assert.equal((await sql('select * from business.users where id = $1', key)).length, 1)
  })

  it('R-23 a commit is visible whole or not at all, to readers of tables, bundles and snapshots', async () => {
    const device = await fresh()
    const count = 3_000
    const id = await stage(
      device,
      1,
      Array.from({ length: count }, () => insertOf()),
    )
    const seen = new Set<number>()
    let done = false
    const committing = commit(device, id).finally(() => {
      done = true
    })
    while (!done) {
      const [{ n }] = await sql(
        'select count(*)::int as n from business.users where _sync_scope_id = $1',
        device.userId,
      )
      const { bundles } = expectOk(await device.get('/sync/pull')).body
      const snapshot = expectOk(await device.post('/sync/snapshot-sessions')).body
      seen
        .add(n)
        .add(bundles[0]?.rows.length ?? 0)
        .add(snapshot.row_count)
      await device.delete(`/sync/snapshot-sessions/${snapshot.snapshot_id}`)
    }
    assert.equal(expectOk(await committing).body.row_count, count)
    assert.deepEqual(
      [...seen].filter((n) => n !== 0 && n !== count),
      [],
    )
  })

  it('R-24 a chunk that does not fit is refused, and the session goes on as if it had not come', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, 1, 3))
    const id = body.push_id
    const [a, b, c] = [insertOf(), insertOf(), insertOf()].map(wireRow)
    const refused: readonly [string, number, readonly unknown[], number, string][] = [
      ['out of order', 1, [a], 409, 'push_chunk_out_of_order'],
      ['negative', -1, [a], 400, 'push_chunk_invalid'],
      ['empty', 0, [], 400, 'push_chunk_invalid'],
      ['more than planned', 0, [a, b, c, wireRow(insertOf())], 400, 'push_chunk_invalid'],
      ['a row twice', 0, [a, a], 400, 'push_chunk_invalid'],
      ['an unknown table', 0, [{ ...a, table: 'other' }], 400, 'push_chunk_invalid'],
    ]
    for (const [name, start, rows, status, code] of refused)
      assert.deepEqual(refusal(await chunk(device, id, start, rows)), [status, code], name)
    const many = Array.from({ length: 5_001 }, () => wireRow(insertOf()))
    const large = (await create(server.device(device.userId, 'large'), 1, many.length)).body.push_id
    const largeChunk = (rows: readonly unknown[]) =>
      chunk(server.device(device.userId, 'large'), large, 0, rows)
    assert.deepEqual(refusal(await largeChunk(many)), [400, 'push_chunk_invalid'])
    expectOk(await largeChunk(many.slice(1)))
    assert.deepEqual((await chunk(device, id, 0, [a, b])).body, { push_id: id, next_expected_row_ordinal: 2 })
    assert.deepEqual(refusal(await chunk(device, id, 0, [a, b])), [409, 'push_chunk_out_of_order'])
    expectOk(await chunk(device, id, 2, [c]))
    assert.equal(expectOk(await commit(device, id)).body.row_count, 3)
  })

  it('R-25 a commit needs all rows, each once', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, 1, 3))
    const twice = wireRow(insertOf())
    expectOk(await chunk(device, body.push_id, 0, [twice, wireRow(insertOf())]))
    assert.deepEqual(refusal(await commit(device, body.push_id)), [400, 'push_commit_invalid'])
    expectOk(await chunk(device, body.push_id, 2, [twice]))
    assert.deepEqual(refusal(await commit(device, body.push_id)), [400, 'push_commit_invalid'])
    const id = await stage(device, 1, [insertOf(), insertOf(), insertOf()])
    await sql('delete from sync.push_session_rows where push_id = $1 and row_ordinal = 1', id)
    assert.deepEqual(refusal(await commit(device, id)), [400, 'push_commit_invalid'])
    assert.equal(await latest(device), 0)
  })

  it('R-26 sessions expire, belong to their user and source, and live longer with each chunk', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, 1, 2))
    const id = body.push_id
    const expiry = async () =>
      (await sql('select expires_at::text as at from sync.push_sessions where push_id = $1', id))[0].at
    const before = await expiry()
    expectOk(await chunk(device, id, 0, [wireRow(insertOf())]))
    assert.ok((await expiry()) > before)
    const operations: readonly ((who: Device, push: string) => Promise<Answer>)[] = [
      (who, push) => chunk(who, push, 1, [wireRow(insertOf())]),
      commit,
      (who, push) => who.delete(`/sync/push-sessions/${push}`),
    ]
    const stranger = await fresh()
    const sibling = server.device(device.userId, 'other source')
    for (const operation of operations) {
      assert.deepEqual(refusal(await operation(stranger, id)), [403, 'push_session_forbidden'])
      assert.deepEqual(refusal(await operation(sibling, id)), [403, 'push_session_forbidden'])
      for (const unknown of [randomUUID(), 'not-a-uuid'])
        assert.deepEqual(refusal(await operation(device, unknown)), [404, 'push_session_not_found'])
    }
    await sql(`update sync.push_sessions set expires_at = now() - interval '1 second' where push_id = $1`, id)
    for (const operation of operations)
      assert.deepEqual(refusal(await operation(device, id)), [410, 'push_session_expired'])
    await create(stranger, 1)
    assert.deepEqual(await sql('select 1 from sync.push_sessions where push_id = $1', id), [])
    assert.deepEqual(await sql('select 1 from sync.push_session_rows where push_id = $1', id), [])
  })

  it('R-26 a dropped session is gone, and its number free', async () => {
    const device = await fresh()
    const id = await stage(device, 1, [insertOf()])
    const { status, text } = await device.delete(`/sync/push-sessions/${id}`)
    assert.deepEqual([status, text], [204, ''])
    assert.deepEqual(refusal(await commit(device, id)), [404, 'push_session_not_found'])
    expectOk(await push(device, 1, [insertOf()]))
  })

  const id = randomUUID()
  const base = {
    schema: 'business',
    table: 'users',
    key: { id },
    op: 'INSERT',
    base_row_version: 0,
    payload: { id, ...user('x') },
  }
  const bad: readonly [string, object][] = [
    ['a payload with the scope', { ...base, payload: { ...base.payload, _sync_scope_id: 'eve' } }],
    ['the scope in capitals', { ...base, payload: { ...base.payload, _SYNC_SCOPE_ID: 'eve' } }],
    ['a payload with another key', { ...base, payload: { ...base.payload, id: randomUUID() } }],
    ['an uppercase uuid', { ...base, key: { id: id.toUpperCase() }, payload: user('x') }],
    ['a uuid without dashes', { ...base, key: { id: id.replaceAll('-', '') }, payload: user('x') }],
    ['a key that is no string', { ...base, key: { id: 1 } }],
    ['a key of another name', { ...base, key: { other: id } }],
    ['DELETE with a payload', { ...base, op: 'DELETE' }],
    ['DELETE with a payload of null', { ...base, op: 'DELETE', payload: null }],
    ['INSERT without a payload', { ...base, payload: undefined }],
    ['a payload that is a list', { ...base, payload: [] }],
    ['an unknown operation', { ...base, op: 'MERGE' }],
    ['an unknown schema', { ...base, schema: 'other' }],
    ['a table with a quote in its name', { ...base, table: 'users"; drop table business.users; --' }],
    ['an unknown column', { ...base, payload: { ...base.payload, other: 1 } }],
    ['a column twice', { ...base, payload: { ...base.payload, NAME: 'y' } }],
    ['a column name with a quote', { ...base, payload: { ...base.payload, 'na"me': 1 } }],
    ['a zero character', { ...base, payload: { ...base.payload, name: 'a\0b' } }],
    ['bytes that are no base64', { ...base, table: 'files', payload: { id, name: 'x', data: 'AA=' } }],
    ['bytes that are no string', { ...base, table: 'files', payload: { id, name: 'x', data: [1] } }],
    ['bytes in the URL alphabet', { ...base, table: 'files', payload: { id, name: 'x', data: '_-8=' } }],
    ['NaN', { ...base, table: 'typed_rows', payload: { id, name: 'x', enabled_flag: 1, rating: 'NaN' } }],
    [
      'infinity',
      { ...base, table: 'typed_rows', payload: { id, name: 'x', enabled_flag: 1, rating: ' -Infinity' } },
    ],
  ]
  for (const [name, row] of bad)
    it(`R-32 ${name} is refused at upload`, async () => {
      const device = await fresh()
      const { body } = expectOk(await create(device, 1))
      assert.deepEqual(refusal(await chunk(device, body.push_id, 0, [row])), [400, 'push_chunk_invalid'])
      assert.deepEqual(refusal(await chunk(device, randomUUID(), 0, [row])), [400, 'push_chunk_invalid'])
      expectOk(await chunk(device, body.push_id, 0, [wireRow(insertOf())]))
    })

  it('R-32 a number beyond the range of doubles is refused at upload', async () => {
    const device = await fresh()
    const { body } = expectOk(await create(device, 1))
    const row = JSON.stringify({ ...base, table: 'notes', key: { id: 'n' }, payload: { id: 'n', amount: 1 } })
    const text = `{"start_row_ordinal":0,"rows":[${row.replace('"amount":1', '"amount":1e400')}]}`
    const answer = await device.post(`/sync/push-sessions/${body.push_id}/chunks`, text)
    assert.deepEqual(refusal(answer), [400, 'push_chunk_invalid'])
  })
})

describe('conflicts', () => {
  /** A row in each of the three states; the tombstone's version is 2. */
  async function rowIn(device: Device, state: 'none' | 'live' | 'tombstone'): Promise<string> {
    const key = randomUUID()
    if (state === 'none') return key
    expectOk(await push(device, 1, [{ table: 'files', key, payload: { name: 'f', data: 'ABEi/w==' } }]))
    if (state === 'tombstone')
      expectOk(await push(device, 2, [{ table: 'files', key, op: 'DELETE', base: 1 }]))
    return key
  }
  const version = { none: 0, live: 1, tombstone: 2 } as const
  const allowed: Readonly<Record<string, boolean>> = {
    'INSERT none': true,
    'INSERT tombstone': true,
    'UPDATE live': true,
    'DELETE live': true,
  }
  for (const op of ['INSERT', 'UPDATE', 'DELETE'] as const)
    for (const state of ['none', 'live', 'tombstone'] as const)
      for (const matching of [true, false])
        it(`R-27 R-29 ${op} of a row that is ${state}, from ${matching ? 'its' : 'another'} version`, async () => {
          const device = await fresh()
          const key = await rowIn(device, state)
          const base = version[state] + (matching ? 0 : 5)
          const answer = await push(device, version[state] + 1, [
            { table: 'files', key, op, base, payload: { name: 'new', data: '' } },
          ])
          if (matching && allowed[`${op} ${state}`]) {
            expectOk(answer)
            return
          }
          assert.deepEqual(refusal(answer), [409, 'push_conflict'])
          assert.deepEqual(answer.body.conflict, {
            schema: 'business',
            table: 'files',
            key: { id: key },
            op,
            base_row_version: base,
            server_row_version: version[state],
            server_row_deleted: state === 'tombstone',
            server_row: state === 'live' ? { id: key, name: 'f', data: 'ABEi/w==' } : null,
          })
        })

  it('R-28 one row in conflict refuses all rows', async () => {
    const device = await fresh()
    const keys = [randomUUID(), randomUUID()]
    expectOk(await push(device, 1, keys.map(insertOf)))
    const rows: PushedRow[] = [
      { table: 'users', key: keys[0]!, op: 'UPDATE', base: 1, payload: user('changed') },
      { table: 'users', key: keys[1]!, op: 'UPDATE', base: 0, payload: user('changed') },
      insertOf(),
    ]
    const answer = await push(device, 2, rows)
    assert.equal(answer.body.conflict.key.id, keys[1])
    const stale = keys.map((key) => ({ table: 'users', key, op: 'DELETE', base: 7 }) as const)
    for (const order of [stale, stale.toReversed()])
      assert.equal((await push(device, 2, order)).body.conflict.key.id, order[0]!.key)
    assert.equal(await latest(device), 1)
    assert.deepEqual(
      await sql('select distinct name from business.users where _sync_scope_id = $1', device.userId),
      [{ name: 'ada' }],
    )
  })

  it('R-28 rows are checked against the state before the push', async () => {
    const device = await fresh()
    const key = randomUUID()
    const id = await stage(device, 1, [
      insertOf(key),
      { table: 'users', key: randomUUID(), op: 'UPDATE', base: 1, payload: user('x') },
    ])
    assert.deepEqual(refusal(await commit(device, id)), [409, 'push_conflict'])
  })
})

describe('applying', () => {
  it('columns may have any name, also those that SQL of ours uses', async () => {
    const names = [
      't',
      'n',
      'r',
      's',
      'p',
      'c',
      'new',
      'old',
      'payload',
      'key',
      'ordinal',
      'row_ordinal',
      'user',
    ]
    await using database = await postgres.database()
    await database.pool.query(`create table odd (_sync_scope_id text not null, id text not null,
      ${names.map((name) => `"${name}" text`).join(', ')}, f double precision, primary key (_sync_scope_id, id));
      create table plain (like odd including all); alter table plain drop column f`)
    const tables = ['odd', 'plain'].map((table) => ({ schema: 'public', table, syncKeyColumns: ['id'] }))
    const lasting = { ...database, [Symbol.asyncDispose]: async () => {} }
    await using own = await openRowsServer(lasting, { config: { registeredTables: tables } })
    const device = await connected(own.device('ann', 'a'))
    const row = (table: string, key: string, more = {}) => ({
      schema: 'public',
      table,
      key: { id: key },
      op: 'INSERT',
      base_row_version: 0,
      payload: Object.fromEntries(names.map((name) => [name, `${name} of <${key}>`])),
      ...more,
    })
    const pushRows = async (id: number, rows: readonly object[]): Promise<Answer> => {
      const { push_id } = expectOk(await create(device, id, rows.length)).body
      expectOk(await chunk(device, push_id, 0, rows))
      return commit(device, push_id)
    }
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    const all = tables.flatMap(({ table }) => keys.map((key) => [table, key] as const))
    expectOk(
      await pushRows(
        1,
        all.map(([table, key]) => row(table, key)),
      ),
    )
    expectOk(
      await pushRows(2, [
        ...all.slice(1).map(([table, key]) => row(table, key, { op: 'UPDATE', base_row_version: 1 })),
        row('odd', 'k0', { op: 'DELETE', base_row_version: 1, payload: undefined }),
      ]),
    )
    const conflict = await pushRows(3, [row('plain', 'k1')])
    assert.equal(conflict.body.conflict.server_row.t, 't of <k1>')
    const { snapshot_id } = expectOk(await device.post('/sync/snapshot-sessions')).body
    const frozen = (await device.get(`/sync/snapshot-sessions/${snapshot_id}`)).body.rows
    const pulled = (await device.get('/sync/pull')).body.bundles
    assert.deepEqual([frozen.length, pulled[0].rows.length, pulled[1].rows.length], [79, 80, 80])
    for (const { table, key, payload } of [...frozen, ...pulled[0].rows, ...pulled[1].rows.slice(0, -1)]) {
      const { f: _, ...columns } = payload
      assert.deepEqual(columns, { id: key.id, ...row(table, key.id).payload })
    }
    for (const { bundle_hash, rows } of pulled) {
      const hasher = new BundleHasher()
      for (const one of rows) hasher.add(one)
      assert.equal(hasher.finish().hex, bundle_hash)
    }
  })

  it('R-34 of a plain table, too, the hash covers what canonical JSON escapes and rounds', async () => {
    await using database = await postgres.database()
    await database.pool.query(`create table plain (_sync_scope_id text not null, id text not null, text text, big bigint,
      flag boolean, at timestamptz, primary key (_sync_scope_id, id))`)
    const lasting = { ...database, [Symbol.asyncDispose]: async () => {} }
    const tables = [{ schema: 'public', table: 'plain', syncKeyColumns: ['id'] }]
    await using own = await openRowsServer(lasting, { config: { registeredTables: tables } })
    const device = await connected(own.device('ann', 'a'))
    const texts = [
      'a < b > c & d',
      '\u2028\u2029',
      'é😀\ufffd\u007f\u0080',
      '\b\f\n\r\t\u000b\u001f"\\/',
      '0'.repeat(16),
      '',
    ]
    const bigs = ['9223372036854775807', '-9007199254740993', '999999999999999', '0', '-1', 'null']
    const rows = texts.map(
      (text, i) =>
        `{"schema":"public","table":"plain","key":{"id":"${i}"},"op":"INSERT","payload":{"text":${JSON.stringify(text)},"big":${bigs[i]},"flag":${i % 2 === 0},"at":"2026-03-24T20:42:11.5+02:00"}}`,
    )
    const { push_id } = expectOk(await create(device, 1, rows.length)).body
    expectOk(
      await device.post(
        `/sync/push-sessions/${push_id}/chunks`,
        `{"start_row_ordinal":0,"rows":[${rows.join(',')}]}`,
      ),
    )
    const { bundle_hash } = expectOk(await commit(device, push_id)).body
    const { text } = await device.get('/sync/committed-bundles/1/rows')
    const sent = parseJson(text) as unknown as { rows: Parameters<BundleHasher['add']>[0][] }
    const hasher = new BundleHasher()
    for (const one of sent.rows) hasher.add(one)
    assert.equal(hasher.finish().hex, bundle_hash)
    assert.deepEqual(
      sent.rows.map(({ payload }) => [payload!.text, String(payload!.big), payload!.at]),
      texts.map((expected, i) => [expected, bigs[i], '2026-03-24T18:42:11.5+00:00']),
    )
  })

  it('R-30 rows may refer to rows that come later, to themselves, and in circles', async () => {
    const device = await fresh()
    const [team, captain, root, child, author, post] = Array.from({ length: 6 }, () => randomUUID())
    expectOk(
      await push(device, 1, [
        { table: 'posts', key: post!, payload: { title: 't', content: 'c', author_id: author } },
        { table: 'teams', key: team!, payload: { name: 't', captain_member_id: captain } },
        { table: 'team_members', key: captain!, payload: { name: 'm', team_id: team } },
        { table: 'categories', key: child!, payload: { name: 'c', parent_id: root } },
        { table: 'categories', key: root!, payload: { name: 'r', parent_id: root } },
        insertOf(author),
      ]),
    )
    assert.equal(await latest(device), 1)
  })

  it('R-13 a push that changes nothing on the server is refused, and uses no number', async () => {
    const device = await fresh()
    const key = randomUUID()
    expectOk(await push(device, 1, [insertOf(key)]))
    // As if the row had been lost behind the back of sync.
    const client = await server.database.pool.connect()
    await client.query(
      `begin; set local session_replication_role = replica; delete from business.users where id = '${key}'; commit`,
    )
    client.release()
    for (const op of ['UPDATE', 'DELETE'] as const)
      assert.deepEqual(refusal(await push(device, 2, [{ ...insertOf(key), op, base: 1 }])), [
        400,
        'push_commit_invalid',
      ])
    assert.equal(await latest(device), 1)
    expectOk(await push(device, 2, [insertOf()]))
    assert.equal(await latest(device), 2)
  })

  it('columns that are not pushed take their default, or stay as they are', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [{ table: 'notes', key: 'n', payload: { title: 'a', amount: 2 } }]))
    expectOk(
      await push(device, 2, [{ table: 'notes', key: 'n', op: 'UPDATE', base: 1, payload: { done: true } }]),
    )
    expectOk(await push(device, 3, [{ table: 'notes', key: 'n', op: 'UPDATE', base: 2 }]))
    const { body } = await device.get('/sync/pull')
    assert.deepEqual(
      body.bundles.map(({ rows }: { rows: { payload: object }[] }) => rows[0]!.payload),
      [
        { id: 'n', title: 'a', amount: 2, done: false, due: null, tags: null, length: 1 },
        { id: 'n', title: 'a', amount: 2, done: true, due: null, tags: null, length: 1 },
        { id: 'n', title: 'a', amount: 2, done: true, due: null, tags: null, length: 1 },
      ],
    )
  })

  it('a generated column that a client sends back is ignored', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [{ table: 'notes', key: 'n', payload: { title: 'abc', length: 99 } }]))
    expectOk(
      await push(device, 2, [
        { table: 'notes', key: 'n', op: 'UPDATE', base: 1, payload: { title: 'ab', length: 3 } },
      ]),
    )
    const { body } = await device.get('/sync/committed-bundles/2/rows')
    assert.equal(body.rows[0].payload.length, 2)
  })

  it('names of columns may be in capitals', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [{ table: 'notes', key: 'n', payload: { TITLE: 'abc', Amount: 1 } }]))
    assert.equal((await device.get('/sync/pull')).body.bundles[0].rows[0].payload.title, 'abc')
  })

  it('a row that a cascade of the same push deleted before is deleted once', async () => {
    const device = await fresh()
    const [root, child] = [randomUUID(), randomUUID()]
    expectOk(
      await push(device, 1, [
        { table: 'categories', key: root, payload: { name: 'r' } },
        { table: 'categories', key: child, payload: { name: 'c', parent_id: root } },
      ]),
    )
    const { body } = expectOk(
      await push(device, 2, [
        { table: 'categories', key: root, op: 'DELETE', base: 1 },
        { table: 'categories', key: child, op: 'DELETE', base: 1 },
      ]),
    )
    assert.equal(body.row_count, 2)
  })

  it('R-33 bytes come back as they were pushed, wherever they are read', async () => {
    const device = await fresh()
    const long = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256)).toString('base64')
    const values = ['ABEi/w==', '', long, null]
    const keys = values.map(() => randomUUID())
    const rows = values.map((data, i) => ({
      table: 'typed_rows',
      key: keys[i]!,
      payload: { name: 'x', enabled_flag: 1, data },
    }))
    expectOk(await push(device, 1, rows))
    const committed = (await device.get('/sync/committed-bundles/1/rows')).body.rows
    const pulled = (await device.get('/sync/pull')).body.bundles[0].rows
    const snapshot = (await device.post('/sync/snapshot-sessions')).body.snapshot_id
    const frozen = (await device.get(`/sync/snapshot-sessions/${snapshot}`)).body.rows
    for (const [i, data] of values.entries())
      for (const list of [committed, pulled, frozen]) {
        const row = list.find((candidate: { key: { id: string } }) => candidate.key.id === keys[i])
        assert.equal(row.payload.data, data)
      }
    const conflict = await push(device, 2, [{ table: 'typed_rows', key: keys[2]!, op: 'DELETE', base: 9 }])
    assert.equal(conflict.body.conflict.server_row.data, long)
  })

  it('values of every type come back in their one spelling, whatever the settings of the database', async () => {
    await using own = await rowsServer(postgres)
    const name = new URL(own.database.url).pathname.slice(1)
    for (const setting of [
      `timezone to 'Asia/Tokyo'`,
      `datestyle to 'SQL, DMY'`,
      `bytea_output to 'escape'`,
      'extra_float_digits to 0',
    ])
      await own.database.pool.query(`alter database ${name} set ${setting}`)
    // Those settings count for connections to come.
    const service = createSyncService({ pool: own.database.openPool(), config: own.service.settings })
    await service.bootstrap()
    const actor = { userId: 'ann', sourceId: 'a' }
    await service.connect(actor, { has_local_pending_rows: false })
    const id = randomUUID()
    const rows = pushChunkRequestSchema.parse(
      parseJson(`{"rows":[
        {"schema":"business","table":"typed_rows","key":{"id":"${id}"},"op":"INSERT","payload":{"name":"é😀\\ud800","enabled_flag":"1",
          "rating":0.30000000000000004,"count_value":-9223372036854775808,"data":"AP8=","created_at":"2026-03-24T20:42:11.5+02:00"}},
        {"schema":"business","table":"notes","key":{"id":"n"},"op":"INSERT","payload":{"amount":12345678901234567890.123456789,
          "done":"1","tags":{"b":[1,{"c":null}],"a":1e2},"due":"2026-12-24"}},
        {"schema":"business","table":"notes","key":{"id":"z"},"op":"INSERT","payload":{"amount":-0,"done":false}}]}`),
    )
    const created = await service.createPushSession(actor, { source_bundle_id: 1, planned_row_count: 3 })
    const pushId = created.status === 'staging' ? created.push_id : ''
    await service.uploadPushChunk(actor, pushId, rows)
    await service.commitPushSession(actor, pushId)
    const body = await service.committedRowsBody(actor, 1, undefined, 0)
    for (const part of [
      '"created_at":"2026-03-24T18:42:11.5+00:00"',
      '"data":"AP8="',
      '"count_value":-9223372036854775808',
      '"rating":0.30000000000000004',
      '"name":"é😀\ufffd"',
      '"enabled_flag":1',
      '"amount":12345678901234567890.123456789',
      '"done":true',
      '"tags":{"a":100,"b":[1,{"c":null}]}',
      '"due":"2026-12-24"',
      '"amount":0',
    ])
      assert.ok(body.includes(part), `${part} in ${body}`)
    const { snapshot_id } = await service.createSnapshotSession(actor)
    const snapshot = await service.snapshotChunkBody(actor, snapshot_id, 0, 0)
    for (const part of [
      '12345678901234567890.123456789',
      '2026-03-24T18:42:11.5+00:00',
      '-9223372036854775808',
      '"AP8="',
    ])
      assert.ok(snapshot.includes(part), `${part} in ${snapshot}`)
  })

  it('what the server itself wrote is sent though it is not finite', async () => {
    const device = await fresh()
    const insert = `insert into business.typed_rows (id, name, enabled_flag, rating) values (gen_random_uuid(), 'x', 1, $1)`
    await server.service.withinSyncBundle(device, { sourceId: 's', sourceBundleId: 1 }, async (tx) => {
      for (const rating of ['NaN', 'Infinity', '-Infinity']) await tx.query(insert, [rating])
    })
    const { body } = await device.get('/sync/committed-bundles/1/rows')
    assert.deepEqual(
      body.rows.map((row: { payload: { rating: unknown } }) => row.payload.rating),
      ['NaN', 'Infinity', '-Infinity'],
    )
  })

  it('R-33 base64 that was wrapped into lines is taken', async () => {
    const device = await fresh()
    expectOk(
      await push(device, 1, [
        { table: 'files', key: randomUUID(), payload: { name: 'x', data: 'ABEi\r\n/w==\n' } },
      ]),
    )
    assert.equal((await device.get('/sync/pull')).body.bundles[0].rows[0].payload.data, 'ABEi/w==')
  })

  it('R-34 the hash covers the rows as they are sent, big numbers rounded', async () => {
    const device = await fresh()
    const key = randomUUID()
    const row = `{"schema":"business","table":"typed_rows","key":{"id":"${key}"},"op":"INSERT","base_row_version":0,
      "payload":{"rating":0.1, "name":"é😀<&>\\u2028", "enabled_flag":9223372036854775807, "count_value" : -9007199254740993}}`
    const { body } = expectOk(await create(device, 1))
    expectOk(
      await device.post(
        `/sync/push-sessions/${body.push_id}/chunks`,
        `{"start_row_ordinal":0,"rows":[${row}]}`,
      ),
    )
    const committed = expectOk(await commit(device, body.push_id)).body
    const { text } = await device.get('/sync/committed-bundles/1/rows')
    assert.match(text, /"enabled_flag":9223372036854775807/)
    assert.match(text, /"count_value":-9007199254740993/)
    for (const parsed of [parseJson(text), JSON.parse(text)]) {
      const hasher = new BundleHasher()
      for (const one of (parsed as { rows: Parameters<BundleHasher['add']>[0][] }).rows) hasher.add(one)
      assert.equal(hasher.finish().hex, committed.bundle_hash)
    }
    assert.deepEqual(
      await sql('select enabled_flag::text, count_value::text from business.typed_rows where id = $1', key),
      [{ enabled_flag: '9223372036854775807', count_value: '-9007199254740993' }],
    )
  })

  it('R-35 pages of committed rows join to the whole, whatever their size', async () => {
    const device = await fresh()
    const ids = Array.from({ length: 7 }, () => randomUUID())
    expectOk(await push(device, 1, ids.map(insertOf)))
    for (const size of [1, 2, 3, 7, 100]) {
      const found: string[] = []
      let query = ''
      for (;;) {
        const { body } = expectOk(await device.get(`/sync/committed-bundles/1/rows?max_rows=${size}${query}`))
        found.push(...body.rows.map((row: { key: { id: string } }) => row.key.id))
        assert.equal(body.next_row_ordinal, found.length - 1)
        if (!body.has_more) break
        query = `&after_row_ordinal=${body.next_row_ordinal}`
      }
      assert.deepEqual(found, ids)
    }
    const end = expectOk(await device.get('/sync/committed-bundles/1/rows?after_row_ordinal=6')).body
    assert.deepEqual([end.rows, end.next_row_ordinal, end.has_more], [[], 6, false])
    const sibling = server.device(device.userId, 'another source')
    assert.equal(expectOk(await sibling.get('/sync/committed-bundles/1/rows')).body.source_id, 'a')
  })
})
