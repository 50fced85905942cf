import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { createSyncService, ScopeManager, type StageTiming } from '../../src/planes/rows/server/index.ts'
import { BundleHasher } from '../../src/planes/rows/wire/bundle-hash.ts'
import { pullResponseSchema } from '../../src/planes/rows/wire/pull.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { businessTables } from '../helpers/rows-business.ts'
import {
  type Answer,
  connected,
  type Device,
  expectOk,
  type PushedRow,
  push,
  type RowsServer,
  rowsServer,
} from '../helpers/rows-server.ts'

const postgres = postgresServer()
let server: RowsServer
before(async () => {
  server = await rowsServer(postgres)
})

let users = 0
const fresh = (on: RowsServer = server): Promise<Device> => connected(on.device(`user ${++users}`, 'a'))
const insertOf = (key: string = randomUUID(), name = 'x'): PushedRow => ({
  table: 'users',
  key,
  payload: { name, email: 'x' },
})
const refusal = ({ status, body }: Answer) => [status, body?.error]

/** Bundles 1 to `count`, each with one row. */
async function fill(device: Device, count: number): Promise<void> {
  for (let id = 1; id <= count; id++) expectOk(await push(device, id, [insertOf()]))
}

/** What a pulling client would have after all pages. */
async function pullAll(
  device: Device,
  after: number,
  maxBundles: number,
  between = async () => {},
): Promise<number[]> {
  const seqs: number[] = []
  let [checkpoint, target, more] = [after, '', true]
  while (more) {
    const { body } = expectOk(
      await device.get(`/sync/pull?after_bundle_seq=${checkpoint}&max_bundles=${maxBundles}${target}`),
    )
    const page = pullResponseSchema.parse(body)
    for (const bundle of page.bundles) {
      const hasher = new BundleHasher()
      for (const row of bundle.rows) hasher.add(row)
      assert.equal(hasher.finish().hex, bundle.bundle_hash)
      seqs.push(bundle.bundle_seq)
    }
    checkpoint = seqs.at(-1) ?? checkpoint
    target = `&target_bundle_seq=${page.stable_bundle_seq}`
    more = page.has_more
    await between()
  }
  return seqs
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('pull', () => {
  it('R-36 pages join to all bundles after the checkpoint, and none that came meanwhile', async () => {
    const device = await fresh()
    await fill(device, 9)
    for (const [after, size] of [
      [0, 1],
      [0, 4],
      [3, 2],
      [8, 1000],
      [9, 5],
    ] as const)
      assert.deepEqual(await pullAll(device, after, size), range(after + 1, 9))
    let id = 9
    const during = await pullAll(device, 0, 2, async () => {
      expectOk(await push(device, ++id, [insertOf()]))
    })
    assert.deepEqual(during, range(1, 9))
    assert.deepEqual(await pullAll(device, 9, 2), range(10, id))
  })

  it('R-36 a page ends before it becomes too large, and a bundle that is larger than a page comes whole', async () => {
    await using own = await rowsServer(postgres, { config: { maxPullPageBytes: 2_000 } })
    const device = await fresh(own)
    const keys = Array.from({ length: 60 }, () => randomUUID())
    expectOk(await push(device, 1, [insertOf()]))
    expectOk(
      await push(
        device,
        2,
        keys.map((key) => insertOf(key)),
      ),
    )
    for (let id = 3; id <= 12; id++) expectOk(await push(device, id, [insertOf()]))
    assert.deepEqual(await pullAll(device, 0, 1000), range(1, 12))
    const pages: number[][] = []
    let after = 0
    while (after < 12) {
      const { body } = await device.get(`/sync/pull?after_bundle_seq=${after}`)
      pages.push(body.bundles.map((bundle: { bundle_seq: number }) => bundle.bundle_seq))
      after = pages.at(-1)!.at(-1)!
    }
    assert.deepEqual(pages.slice(0, 2), [[1], [2]])
    assert.ok(pages.length > 3 && pages.length < 10, JSON.stringify(pages))
    const { bundles } = (await device.get('/sync/pull?after_bundle_seq=1&max_bundles=1')).body
    assert.deepEqual(
      bundles[0].rows.map((row: { key: { id: string } }) => row.key.id),
      keys,
    )
    const committed = (await device.get('/sync/committed-bundles/2/rows')).body
    assert.ok(committed.rows.length < 60 && committed.has_more)
  })

  it('R-36 a checkpoint that is up to date gets an empty page', async () => {
    const device = await fresh()
    await fill(device, 2)
    const page = { bundles: [], has_more: false }
    assert.deepEqual((await device.get('/sync/pull?after_bundle_seq=2')).body, {
      stable_bundle_seq: 2,
      ...page,
    })
    assert.deepEqual((await device.get('/sync/pull?after_bundle_seq=1&target_bundle_seq=1')).body, {
      stable_bundle_seq: 1,
      ...page,
    })
  })

  it('a checkpoint or a target beyond the newest bundle is told apart from being up to date', async () => {
    const device = await fresh()
    await fill(device, 2)
    for (const query of ['after_bundle_seq=3', 'after_bundle_seq=0&target_bundle_seq=3'])
      assert.deepEqual(refusal(await device.get(`/sync/pull?${query}`)), [409, 'checkpoint_ahead'])
  })

  it('R-37 R-38 history is kept for the latest bundles, and what lies before is refused and counted', async () => {
    await using own = await rowsServer(postgres, {
      config: { retainedBundlesPerUser: 3, retentionPruneBatchSize: 2 },
    })
    const device = await fresh(own)
    await fill(device, 3)
    assert.deepEqual(await pullAll(device, 0, 100), [1, 2, 3])
    for (let id = 4; id <= 8; id++) expectOk(await push(device, id, [insertOf()]))
    const floor = 5
    const start = (await own.service.status()).history_pruned_error_count
    for (const query of [
      'after_bundle_seq=4',
      'after_bundle_seq=0',
      'after_bundle_seq=6&target_bundle_seq=5',
    ])
      assert.deepEqual(refusal(await device.get(`/sync/pull?${query}`)), [409, 'history_pruned'])
    assert.deepEqual(refusal(await device.get('/sync/committed-bundles/5/rows')), [409, 'history_pruned'])
    assert.deepEqual(refusal(await device.get('/sync/committed-bundles/99/rows')), [
      404,
      'committed_bundle_not_found',
    ])
    const stranger = own.device('nobody', 'a')
    assert.deepEqual(refusal(await stranger.get('/sync/committed-bundles/1/rows')), [
      404,
      'committed_bundle_not_found',
    ])
    assert.deepEqual(await pullAll(device, floor, 100), [6, 7, 8])
    const status = await own.service.status()
    assert.equal(status.history_pruned_error_count - start, 4)
    assert.deepEqual(
      [
        status.retained_bundle_floor_max,
        status.retained_bundle_window_max,
        status.latest_bundle_seq_max,
        status.committed_bundle_count,
      ],
      [5, 3, 8, 3],
    )
    const { rows } = await own.database.pool.query(
      `select (select count(*)::int from sync.bundle_rows) as bundle_rows, (select count(*)::int from sync.row_state) as states,
         (select count(*)::int from business.users) as users, (select max(max_committed_source_bundle_id)::int from sync.source_state) as source`,
    )
    assert.deepEqual(rows[0], { bundle_rows: 3, states: 8, users: 8, source: 8 })
  })

  it('R-38 a floor that is far behind moves one batch with each commit', async () => {
    await using own = await rowsServer(postgres, { config: { retainedBundlesPerUser: 100 } })
    const device = await fresh(own)
    await fill(device, 6)
    const strict = createSyncService({
      pool: own.database.pool,
      config: { registeredTables: businessTables, retainedBundlesPerUser: 1, retentionPruneBatchSize: 2 },
    })
    await strict.bootstrap()
    const floors: number[] = []
    for (let i = 0; i < 4; i++) {
      await new ScopeManager(strict).execWrite(device.userId, { writerId: 'w' }, async (tx) => {
        await tx.query(`insert into business.users (id, name, email) values (gen_random_uuid(), 'x', 'x')`)
      })
      floors.push((await own.service.status()).retained_bundle_floor_max)
    }
    assert.deepEqual(floors, [2, 4, 6, 8])
  })

  it('R-39 a pull beside pruning sees whole pages or is refused, and never a gap', async () => {
    await using own = await rowsServer(postgres, { config: { retainedBundlesPerUser: 4 } })
    const device = await fresh(own)
    await fill(device, 4)
    let done = false
    const pushing = (async () => {
      for (let id = 5; id <= 30; id++) expectOk(await push(device, id, [insertOf()]))
    })().finally(() => {
      done = true
    })
    let pages = 0
    for (let checkpoint = 0; !done || pages === 0; ) {
      const { status, body } = await device.get(`/sync/pull?after_bundle_seq=${checkpoint}&max_bundles=2`)
      if (status === 409) {
        assert.equal(body.error, 'history_pruned')
        checkpoint = (await own.service.status()).retained_bundle_floor_max
        continue
      }
      pages += 1
      for (const bundle of body.bundles) {
        assert.equal(bundle.bundle_seq, ++checkpoint)
        assert.equal(bundle.rows.length, 1)
      }
    }
    await pushing
  })

  it('R-39 a pull that pruning overtakes between two of its reads still sends the whole window', async () => {
    await using own = await rowsServer(postgres)
    const device = await fresh(own)
    await fill(device, 5)
    const pruner = await own.database.pool.connect()
    await pruner.query('begin; lock table sync.bundle_log in access exclusive mode')
    const pulling = device.get('/sync/pull?after_bundle_seq=1')
    // The pull has read the floor, and waits for the log.
    for (;;) {
      const { rows } = await own.database.pool.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      if (rows.length > 0) break
    }
    await pruner.query(`update sync.user_state set retained_bundle_floor = 3;
      delete from sync.bundle_log where bundle_seq <= 3; commit`)
    pruner.release()
    const { body } = expectOk(await pulling)
    assert.deepEqual(
      body.bundles.map((bundle: { bundle_seq: number; rows: unknown[] }) => [
        bundle.bundle_seq,
        bundle.rows.length,
      ]),
      [
        [2, 1],
        [3, 1],
        [4, 1],
        [5, 1],
      ],
    )
    assert.deepEqual(refusal(await device.get('/sync/pull?after_bundle_seq=1')), [409, 'history_pruned'])
  })

  it('R-52 a pull reports its six stages', async () => {
    const timings: StageTiming[] = []
    await using own = await rowsServer(postgres, {
      metrics: { observeStage: (timing) => timings.push(timing) },
    })
    const device = await fresh(own)
    await fill(device, 3)
    timings.length = 0
    await device.get('/sync/pull?max_bundles=2')
    assert.deepEqual(
      timings.map(({ operation, stage, count, attempt, error }) => [operation, stage, count, attempt, error]),
      [
        ['pull', 'retained_floor_check', 1, 0, false],
        ['pull', 'resolve_stable_bundle_seq', 1, 0, false],
        ['pull', 'list_bundle_seqs', 3, 0, false],
        ['pull', 'load_bundles', 2, 0, false],
        ['pull', 'transaction', 2, 0, false],
        ['pull', 'total', 2, 0, false],
      ],
    )
    timings.length = 0
    await device.get('/sync/pull?after_bundle_seq=9')
    assert.deepEqual(
      timings.map(({ stage, error }) => [stage, error]),
      [
        ['retained_floor_check', true],
        ['transaction', true],
        ['total', true],
      ],
    )
  })
})
