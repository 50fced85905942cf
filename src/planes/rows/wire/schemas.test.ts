import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { capabilitiesResponseSchema } from './capabilities.ts'
import { committedRowsResponseSchema } from './committed-rows.ts'
import { connectRequestSchema, connectResponseSchema } from './connect.ts'
import {
  errorResponseSchema,
  limitExceededResponseSchema,
  pushConflictResponseSchema,
  pushRejectedResponseSchema,
  sourceRetiredResponseSchema,
} from './error.ts'
import { errorStatus, isWireErrorCode } from './error-code.ts'
import { parseJson } from './json-text.ts'
import { paths, protocolVersion, sourceIdHeader } from './protocol.ts'
import { pullResponseSchema } from './pull.ts'
import {
  createPushRequestSchema,
  createPushResponseSchema,
  pushChunkRequestSchema,
  pushChunkResponseSchema,
} from './push.ts'
import {
  createSnapshotRequestSchema,
  createSnapshotResponseSchema,
  snapshotChunkResponseSchema,
} from './snapshot.ts'
import { statusResponseSchema } from './status.ts'
import { bundleChangeEventSchema } from './watch.ts'

const hash = 'a43728ff9a71f61fb57948e04679d70a7b813c2c51482feeaf745d937fe9045a'
const row = {
  schema: 'business',
  table: 'users',
  key: { id: 'a' },
  op: 'INSERT',
  row_version: 1,
  payload: { id: 'a' },
}

describe('messages of the rows protocol', () => {
  it('members that go-oversync drops when they are zero may be absent', () => {
    assert.deepEqual(
      createPushResponseSchema.parse({ status: 'staging', push_id: 'p', planned_row_count: 1 }),
      {
        status: 'staging',
        push_id: 'p',
        planned_row_count: 1,
        next_expected_row_ordinal: 0,
      },
    )
    const snapshot = {
      snapshot_id: 's',
      snapshot_bundle_seq: 0,
      row_count: 0,
      expires_at: '2026-06-08T10:15:30Z',
    }
    assert.equal(createSnapshotResponseSchema.parse(snapshot).byte_count, 0)
    assert.equal(
      capabilitiesResponseSchema.parse({ protocol_version: protocolVersion }).bundle_limits
        .max_rows_per_bundle,
      0,
    )
    assert.deepEqual(connectRequestSchema.parse({}), { has_local_pending_rows: false })
    assert.deepEqual(bundleChangeEventSchema.parse({ bundle_seq: 124 }), { bundle_seq: 124 })
  })

  it('unknown members are ignored, but for the body that creates a snapshot', () => {
    assert.deepEqual(
      createPushRequestSchema.parse({ source_bundle_id: 1, planned_row_count: 2, source_id: 'evil' }),
      { source_bundle_id: 1, planned_row_count: 2 },
    )
    assert.equal(createSnapshotRequestSchema.safeParse({ other: 1 }).success, false)
    const replacement = { previous_source_id: 'a', new_source_id: 'b', reason: 'history_pruned' }
    assert.equal(createSnapshotRequestSchema.safeParse({ source_replacement: replacement }).success, true)
    assert.equal(
      createSnapshotRequestSchema.safeParse({ source_replacement: { ...replacement, more: 1 } }).success,
      false,
    )
  })

  it('a pushed row may spell its operation loosely; its payload passes as it is', () => {
    const text =
      '{"start_row_ordinal":0,"rows":[{"schema":"Business","table":"users","key":{"id":"a","more":1},"op":" insert ","payload":{"n":9007199254740993}}]}'
    const { rows } = pushChunkRequestSchema.parse(parseJson(text))
    assert.equal(rows[0]!.op, 'INSERT')
    assert.equal(rows[0]!.base_row_version, 0)
    assert.equal(JSON.stringify(rows[0]!.payload), '{"n":9007199254740993}')
    assert.equal(pushChunkRequestSchema.safeParse({ rows: [{ ...row, op: 'MERGE' }] }).success, false)
    assert.equal(pushChunkRequestSchema.safeParse({ rows: [{ ...row, payload: null }] }).success, false)
    assert.equal(pushChunkRequestSchema.safeParse({ rows: [{ ...row, payload: [] }] }).success, false)
  })

  it('a counter is a whole number within the range of exact doubles', () => {
    const answer = (seq: string) =>
      pushChunkResponseSchema.safeParse(parseJson(`{"push_id":"p","next_expected_row_ordinal":${seq}}`))
        .success
    assert.equal(answer('9007199254740991'), true)
    for (const seq of ['9007199254740993', '1.5', '-1', '"1"', 'null']) assert.equal(answer(seq), false, seq)
  })

  it('a row that is not deleted must bring its payload', () => {
    const page = {
      bundle_seq: 1,
      source_id: 's',
      source_bundle_id: 1,
      row_count: 1,
      bundle_hash: hash,
      next_row_ordinal: 0,
      has_more: false,
    }
    assert.equal(committedRowsResponseSchema.safeParse({ ...page, rows: [row] }).success, true)
    const { payload: _, ...bare } = row
    assert.equal(committedRowsResponseSchema.safeParse({ ...page, rows: [bare] }).success, false)
    assert.equal(
      committedRowsResponseSchema.safeParse({ ...page, rows: [{ ...bare, op: 'DELETE' }] }).success,
      true,
    )
    const bundle = { bundle_seq: 1, source_id: 's', source_bundle_id: 1, rows: [row] }
    assert.equal(
      pullResponseSchema.safeParse({ stable_bundle_seq: 1, bundles: [bundle], has_more: false }).success,
      true,
    )
    const chunk = { snapshot_id: 's', snapshot_bundle_seq: 1, next_row_ordinal: 1, has_more: false }
    assert.equal(snapshotChunkResponseSchema.safeParse({ ...chunk, rows: [row] }).success, true)
    assert.equal(snapshotChunkResponseSchema.safeParse({ ...chunk, rows: [bare] }).success, false)
  })

  it('an answer that names an unknown resolution is not understood', () => {
    assert.equal(connectResponseSchema.safeParse({ resolution: 'initialize_empty' }).success, true)
    assert.equal(connectResponseSchema.safeParse({ resolution: 'initialize_local' }).success, false)
    assert.equal(connectResponseSchema.safeParse({ resolution: 'whatever' }).success, false)
  })

  it('errors carry what their code promises', () => {
    const conflict = {
      schema: 'b',
      table: 'u',
      key: { id: 'a' },
      op: 'UPDATE',
      base_row_version: 3,
      server_row_version: 5,
      server_row_deleted: false,
      server_row: null,
    }
    assert.equal(
      pushConflictResponseSchema.safeParse({ error: 'push_conflict', message: '', conflict }).success,
      true,
    )
    assert.equal(pushConflictResponseSchema.safeParse({ error: 'push_conflict', message: '' }).success, false)
    assert.equal(
      sourceRetiredResponseSchema.safeParse({ error: 'source_retired', message: '', source_id: 'a' }).success,
      true,
    )
    const rejection = {
      reason: 'unique',
      schema: 'b',
      table: 'u',
      key: null,
      op: null,
      row_ordinal: null,
      constraint: 'c',
      column: null,
      sqlstate: '23505',
    }
    assert.equal(
      pushRejectedResponseSchema.safeParse({ error: 'push_rejected', message: '', rejection }).success,
      true,
    )
    const limit = { error: 'bundle_too_large', message: '', dimension: 'row_count', actual: 2, limit: 1 }
    assert.equal(limitExceededResponseSchema.safeParse(limit).success, true)
    assert.deepEqual(errorResponseSchema.parse({ error: 'from_the_future' }), {
      error: 'from_the_future',
      message: '',
    })
    assert.equal(isWireErrorCode('push_conflict'), true)
    assert.equal(isWireErrorCode('toString'), false)
    for (const [code, status] of Object.entries(errorStatus))
      assert.match(`${code} ${status}`, /^[a-z_]+ [45]\d\d$/)
  })

  it('a status with a missing member is not a status', () => {
    assert.equal(statusResponseSchema.safeParse({ status: 'healthy' }).success, false)
  })

  it('paths hold ids as they are', () => {
    assert.equal(paths.pushChunks('a/b c'), '/sync/push-sessions/a%2Fb%20c/chunks')
    assert.equal(paths.committedRows(7), '/sync/committed-bundles/7/rows')
    assert.equal(sourceIdHeader, 'Oversync-Source-ID')
  })
})
