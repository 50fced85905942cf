import type { PoolClient } from 'pg'
import type { CommittedPush } from '../wire/push.ts'
import { type EffectBatch, readEffects } from './bundle-effects.postgres.ts'
import { type OpenedBundle, writeBundle } from './bundle-write.postgres.ts'
import { bundleContext } from './capture.postgres.ts'
import { quoteLiteral } from './quote.postgres.ts'
import { pruneHistory } from './retention.postgres.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import type { Queryable } from './transaction.postgres.ts'

/** On whose behalf a transaction writes, and as which bundle. */
export interface BundleWriter {
  readonly userId: string
  readonly userPk: string
  readonly sourceId: string
  readonly sourceBundleId: number
  readonly initializationId?: string | undefined
}

/**
 * From here on the transaction may write to registered tables, for this user, and what it does is captured (§3.5).
 * Constraints that can be are checked at the end.
 */
export async function beginBundle(tx: Queryable, writer: BundleWriter): Promise<void> {
  const settings = contextOf(writer).map(
    ([name, value]) => `set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
  )
  await tx.query(`select ${settings.join(', ')}; set constraints all deferred`)
}

/** Throws if the transaction writes for somebody else by now: what was captured would be another user's. */
export async function checkContext(tx: Queryable, writer: BundleWriter): Promise<void> {
  const settings = contextOf(writer)
  const { rows } = await tx.query<{ clash: boolean }>(
    `select ${settings
      .map(
        (_, i) =>
          `coalesce(nullif(current_setting($${2 * i + 1}, true), ''), $${2 * i + 2}) <> $${2 * i + 2}`,
      )
      .join(' or ')} as clash`,
    settings.flat(),
  )
  if (rows[0]!.clash)
    throw new RowsError('bundle_source_invalid', 'this transaction writes a bundle of somebody else')
}

function contextOf(writer: BundleWriter): readonly (readonly [string, string])[] {
  return [
    [bundleContext.userId, writer.userId],
    [bundleContext.userPk, writer.userPk],
    [bundleContext.sourceId, writer.sourceId],
    [bundleContext.sourceBundleId, String(writer.sourceBundleId)],
    [bundleContext.initializationId, writer.initializationId ?? ''],
  ]
}

/**
 * Makes a bundle of everything that was captured in this transaction (§3.6), or of `effects` where they are known already,
 * and prunes what retention lets go. Undefined if nothing remained of it; no number is used then unless it was `opened` before.
 */
export async function finishBundle(
  tx: PoolClient,
  context: ServiceContext,
  writer: BundleWriter,
  effects: AsyncIterable<EffectBatch> = readEffects(tx, context, writer, 0),
  opened?: OpenedBundle,
): Promise<CommittedPush | undefined> {
  const committed = await writeBundle(tx, context, writer, effects, opened)
  await tx.query('delete from sync.bundle_capture_stage where txid = txid_current() and user_pk = $1', [
    writer.userPk,
  ])
  if (committed !== undefined) await pruneHistory(tx, context, writer.userPk, committed.bundle_seq)
  return committed
}
