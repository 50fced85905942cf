import type { PoolClient } from 'pg'
import { operationCode } from '../wire/operation.ts'
import type { Actor } from './actor.ts'
import {
  capturedRow,
  type EffectBatch,
  payloadText,
  plainPayloadText,
  type RowEffect,
  rowsPerFetch,
} from './bundle-effects.postgres.ts'
import { bundleRowsTarget } from './bundle-write.postgres.ts'
import { appliedDirectly, scopeColumn, setBasedRun } from './capture.postgres.ts'
import { keyBytes } from './payload-text.postgres.ts'
import {
  type ApplyBatch,
  insertStatement,
  markRun,
  pushedOrdinal,
  updateStatement,
} from './push-apply.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'
import { quoteName } from './quote.postgres.ts'
import type { SyncTable } from './sync-table.ts'

interface WrittenRow {
  readonly key: string
  readonly payload: string
}

/**
 * Whether nothing but the pushed rows themselves can change: no deletion that might cascade, no trigger or rule of the host.
 * Then what the statements return is all that happened, and capturing it would write every row once more to read it again.
 */
export function isDirect(batches: readonly ApplyBatch[]): boolean {
  return batches.every(({ opCode, isHosted }) => opCode !== operationCode.DELETE && !isHosted)
}

/**
 * As `applyPush`, and the effects of it as they come, in the order of the upload. Those of plain tables are put into the bundle
 * `seq` by the same statement: nothing but their hash is left to be computed here, while the database takes the next.
 */
export async function* applyDirectly(
  tx: PoolClient,
  { userId }: Actor,
  { pushId, userPk }: PushSession,
  batches: readonly ApplyBatch[],
  seq: number,
): AsyncGenerator<EffectBatch> {
  await markRun(tx, appliedDirectly)
  let written = 0
  const run = ({ batch, first, last }: Part) =>
    tx.query<WrittenRow>(
      batch.table.isPlain ? loggedStatement(batch) : returningStatement(batch),
      batch.table.isPlain
        ? [userId, pushId, first, last, userPk, seq, written]
        : [userId, pushId, first, last],
    )
  const parts = partsOf(batches)
  let next = parts[0] === undefined ? undefined : run(parts[0])
  for (const [i, { batch }] of parts.entries()) {
    const { rows } = await next!
    written += rows.length
    const isLogged = batch.table.isPlain
    const following = parts[i + 1]
    const start = () => {
      next = following === undefined ? undefined : run(following)
      // It is awaited in the next round; until then a failure of it is nobody's.
      next?.catch(() => {})
    }
    // What is not in the bundle yet is copied into it first, by the same connection.
    if (isLogged) start()
    if (rows.length > 0) yield { count: rows.length, isLogged, effects: () => effectsOf(batch, rows) }
    if (!isLogged) start()
  }
  await tx.query(`set local ${setBasedRun} = ''; set constraints all immediate`)
}

/** Rows of a batch that one statement writes, by the ordinals of the first and the last. */
interface Part {
  readonly batch: ApplyBatch
  readonly first: number
  readonly last: number
}

function partsOf(batches: readonly ApplyBatch[]): readonly Part[] {
  return batches.flatMap((batch) => {
    const parts: Part[] = []
    for (let first = batch.first; first <= batch.last; first += rowsPerFetch)
      parts.push({ batch, first, last: Math.min(batch.last, first + rowsPerFetch - 1) })
    return parts
  })
}

/** Writes a part and returns key and payload of its rows, in the order of the upload. */
function returningStatement(batch: ApplyBatch): string {
  return `${writing(batch)} select key::text as key, payload from written${inOrder(batch)}`
}

/** As `returningStatement`, and puts them into the bundle `$6` of the user `$5`, after `$7` others. */
function loggedStatement(batch: ApplyBatch): string {
  const { table, opCode } = batch
  return `${writing(batch)}, logged as (
      insert into ${bundleRowsTarget}
      select $5::bigint, $6::bigint, $7::bigint + row_number() over (${inOrder(batch)}), ${table.id},
        ${keyBytes(table, 'key')}, ${opCode}, payload::json from written)
    select key::text as key, payload from written${inOrder(batch)}`
}

function writing(batch: ApplyBatch): string {
  const statement = isInsert(batch)
    ? `${insertStatement(batch)} returning ${writtenRow(batch.table)}`
    : `${updateStatement(batch)} returning ${writtenRow(batch.table)}, s.${pushedOrdinal}`
  return `with written as materialized (${statement})`
}

/** Inserted rows come in their order, updated ones in that of some plan. */
function inOrder(batch: ApplyBatch): string {
  return isInsert(batch) ? '' : ` order by ${pushedOrdinal}`
}

function isInsert({ opCode }: ApplyBatch): boolean {
  return opCode === operationCode.INSERT
}

/** Characters that canonical JSON escapes and PostgreSQL does not. */
const escapedLate = ['<', '>', '&', '\u2028', '\u2029']

/** SQL for the key and the payload of the row `t`; of a plain table as the bundle holds it, so that nothing is left to do. */
function writtenRow(table: SyncTable): string {
  const key = `t.${quoteName(table.keyColumn)} as key`
  if (!table.isPlain) return `${key}, (to_jsonb(t.*) - '${scopeColumn}')::text as payload`
  const columns = [...table.columns.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const members = columns.map((name) => `t.${quoteName(name)}`).join(', ')
  const escaped = escapedLate.reduce(
    (sql, character) =>
      `replace(${sql}, '${character}', '\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}')`,
    'row_to_json(r.*)::text',
  )
  return `${key}, (select ${escaped} from (select ${members}) r) as payload`
}

function* effectsOf({ table, opCode }: ApplyBatch, rows: readonly WrittenRow[]): Generator<RowEffect> {
  for (const { key, payload: text } of rows) {
    const keyHex = table.keyKind === 'uuid' ? key.replaceAll('-', '') : Buffer.from(key).toString('hex')
    const payload = table.isPlain
      ? plainPayloadText(table, text)
      : payloadText(table, capturedRow(table, text))
    yield { table, key, keyHex, opCode, payload }
  }
}
