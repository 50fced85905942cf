import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import { BundleHasher } from '../wire/bundle-hash.ts'
import { canonicalString } from '../wire/canonical-json.ts'
import { operationCode, operationOf } from '../wire/operation.ts'
import type { CommittedPush } from '../wire/push.ts'
import type { BundleWriter } from './bundle.postgres.ts'
import type { EffectBatch } from './bundle-effects.postgres.ts'
import { copyRows } from './copy-rows.postgres.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import type { Queryable } from './transaction.postgres.ts'

/** `sync.bundle_rows` with all its columns. Ordinals count from 1 there, as go-oversync counts. */
export const bundleRowsTarget =
  'sync.bundle_rows (user_pk, bundle_seq, row_ordinal, table_id, key_bytes, op_code, payload_wire)'

const onKnownRow = `on conflict (user_pk, table_id, key_bytes)
  do update set bundle_seq = excluded.bundle_seq, deleted = excluded.deleted`

/** A bundle that has its number, and no rows yet. */
export interface OpenedBundle {
  readonly seq: number
  /** No row of it was ever known in this scope. Not having to look for them saves a third of writing their versions. */
  readonly isNew: boolean
}

/**
 * Writes the bundle, its rows and the rows' versions, and tells watchers. Undefined if there are no effects. `opened` is a
 * bundle that was opened before.
 */
export async function writeBundle(
  tx: PoolClient,
  { settings }: ServiceContext,
  writer: BundleWriter,
  effects: AsyncIterable<EffectBatch>,
  opened?: OpenedBundle,
): Promise<CommittedPush | undefined> {
  const { userPk, sourceId, sourceBundleId } = writer
  const hasher = new BundleHasher(() => createHash('sha256'))
  let seq = opened?.seq
  let ordinal = 0
  for await (const batch of effects) {
    seq ??= await openBundle(tx, writer)
    const rows = bundleRows(userPk, seq, ordinal, batch, hasher)
    if (batch.isLogged) for (const _ of rows);
    else await copyRows(tx, bundleRowsTarget, rows)
    ordinal += batch.count
    checkLimit('row_count', ordinal, settings.maxRowsPerBundle)
  }
  if (seq === undefined || ordinal === 0) return undefined
  const { rowCount, byteCount, sha256, hex } = hasher.finish()
  checkLimit('byte_count', byteCount, settings.maxBytesPerBundle)
  await tx.query(
    `update sync.bundle_log set row_count = $3, byte_count = $4, bundle_hash = $5
     where user_pk = $1 and bundle_seq = $2`,
    [userPk, seq, rowCount, byteCount, Buffer.from(sha256)],
  )
  // In the order of the key: neighbours in its index are written one after the other.
  await tx.query(
    `insert into sync.row_state (user_pk, table_id, key_bytes, bundle_seq, deleted)
     select user_pk, table_id, key_bytes, bundle_seq, op_code = ${operationCode.DELETE}
     from sync.bundle_rows where user_pk = $1 and bundle_seq = $2 order by table_id, key_bytes
     ${opened?.isNew ? '' : onKnownRow}`,
    [userPk, seq],
  )
  if (settings.bundleChangeWatch.enabled)
    await notify(tx, settings.bundleChangeWatch.notifyChannel, writer, seq)
  return {
    bundle_seq: seq,
    source_id: sourceId,
    source_bundle_id: sourceBundleId,
    row_count: rowCount,
    bundle_hash: hex,
  }
}

/** As they are written, and hashed on the way. */
function* bundleRows(
  userPk: string,
  seq: number,
  firstOrdinal: number,
  batch: EffectBatch,
  hasher: BundleHasher,
) {
  let ordinal = firstOrdinal
  for (const { table, key, keyHex, opCode, payload } of batch.effects()) {
    const row = {
      schema: table.schema,
      table: table.name,
      op: operationOf(opCode),
      row_version: seq,
    }
    const canonicalKey = `{${canonicalString(table.keyColumn)}:${canonicalString(key)}}`
    hasher.addCanonical(row, canonicalKey, payload?.canonical ?? 'null')
    yield [userPk, seq, ++ordinal, table.id, { hex: keyHex }, opCode, payload?.exact ?? null]
  }
}

/**
 * Takes the user's next number, under the user's lock, so that numbers have no gaps and become visible in their order. The
 * entry comes before its rows, which refer to it where go-oversync set up the database; what is counted is filled in later.
 */
export async function openBundle(tx: Queryable, writer: BundleWriter): Promise<number> {
  const { rows } = await tx.query<{ seq: string }>(
    `with next as (
       update sync.user_state set next_bundle_seq = next_bundle_seq + 1 where user_pk = $1
       returning next_bundle_seq - 1 as seq
     )
     insert into sync.bundle_log
       (user_pk, bundle_seq, source_id, source_bundle_id, row_count, byte_count, bundle_hash)
     select $1, seq, $2, $3, 0, 0, $4 from next returning bundle_seq::text as seq`,
    [writer.userPk, writer.sourceId, writer.sourceBundleId, Buffer.alloc(32)],
  )
  return Number(rows[0]!.seq)
}

/** Delivered when the transaction commits, and only then (§3.12). */
async function notify(tx: Queryable, channel: string, writer: BundleWriter, seq: number): Promise<void> {
  const { userPk, sourceId, sourceBundleId } = writer
  const payload = `{"user_pk":${userPk},"bundle_seq":${seq},"source_id":${JSON.stringify(sourceId)},"source_bundle_id":${sourceBundleId}}`
  await tx.query('select pg_notify($1, $2)', [channel, payload])
}

function checkLimit(dimension: 'row_count' | 'byte_count', actual: number, limit: number): void {
  if (limit > 0 && actual > limit)
    throw new RowsError('bundle_too_large', `the bundle would exceed the limit of ${limit} (${dimension})`, {
      dimension,
      actual,
      limit,
    })
}
