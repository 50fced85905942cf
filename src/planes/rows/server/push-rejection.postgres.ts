import type { PoolClient } from 'pg'
import type { PushRejection, RejectionReason } from '../wire/error.ts'
import { type OperationCode, operationOf } from '../wire/operation.ts'
import { bytesToKey } from '../wire/sync-key.ts'
import type { Actor } from './actor.ts'
import { beginBundle } from './bundle.postgres.ts'
import { scopeColumn } from './capture.postgres.ts'
import { keyBytes } from './payload-text.postgres.ts'
import { type ApplyBatch, applyBatch, applyBatches } from './push-apply.postgres.ts'
import { lockPushSession, type PushSession } from './push-session.postgres.ts'
import { quoteName } from './quote.postgres.ts'
import { RowsError } from './rows-error.ts'
import { transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import type { SyncTable } from './sync-table.ts'
import { sqlState } from './transaction.postgres.ts'

/** An error of PostgreSQL, with the fields of its protocol that matter here. */
interface DatabaseError {
  readonly code: string
  readonly message: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
}

interface FailedRow {
  readonly batch: ApplyBatch
  readonly ordinal: number
}

const reasons: Readonly<Record<string, RejectionReason>> = {
  '23505': 'unique',
  '23503': 'foreign_key',
  '23001': 'foreign_key',
  '23502': 'not_null',
  '23514': 'check',
  '23P01': 'exclusion',
}

/**
 * Whether the database refused the rows themselves: bad values (class 22), constraints (23), columns and privileges (42),
 * views with checks (44), keys that are too long for an index (54), and what triggers raise (P0001). The same push would be refused again (§12 item 12).
 */
export function isRejection(error: unknown): error is DatabaseError {
  // What fails in our own tables is no fault of the rows.
  if ((error as Partial<DatabaseError> | undefined)?.schema === 'sync') return false
  const state = sqlState(error) ?? ''
  // Nor is a table that is not there.
  return state !== '42P01' && /^(?:22|23|42|44|54|P0001)/.test(state)
}

/** Why a commit was refused, and by which row: the push is applied once more, and rolled back, to find it. */
export async function explainRejection(
  context: ServiceContext,
  actor: Actor,
  pushId: string,
  error: DatabaseError,
): Promise<RowsError> {
  const found: { value?: { readonly rejection: PushRejection; readonly message: string } } = {}
  const rollback = new Error('rolled back on purpose')
  try {
    await transactInScope(context.pool, {}, actor.userId, async (tx, { userPk }) => {
      found.value = await findRejection(tx, context, actor, userPk, pushId, error)
      throw rollback
    })
  } catch (failure) {
    if (failure !== rollback)
      context.logger.warn('a refused push could not be explained', { error: String(failure) })
  }
  const { rejection, message } = found.value ?? {
    rejection: rejectionOf(error, undefined, undefined),
    message: error.message,
  }
  const where = rejection.key === null ? '' : ` for ${JSON.stringify(rejection.key)}`
  return new RowsError(
    'push_rejected',
    `the database refuses ${rejection.table === '' ? 'the push' : `${rejection.schema}.${rejection.table}`}${where}: ${message}`,
    { rejection },
    error,
  )
}

async function findRejection(
  tx: PoolClient,
  context: ServiceContext,
  actor: Actor,
  userPk: string,
  pushId: string,
  original: DatabaseError,
): Promise<{ readonly rejection: PushRejection; readonly message: string }> {
  const session = await lockPushSession(tx, actor, pushId)
  const { sourceId, sourceBundleId } = session
  await beginBundle(tx, { userId: actor.userId, userPk, sourceId, sourceBundleId })
  for (const batch of await applyBatches(tx, context, session)) {
    const failed = await attempt(tx, () => applyBatch(tx, actor, session, batch))
    if (failed === undefined) continue
    const ordinal = await firstFailing(tx, actor, session, batch)
    return describe(tx, session, failed, { batch, ordinal })
  }
  const late = await attempt(tx, () => tx.query('set constraints all immediate'))
  if (late === undefined)
    return { rejection: rejectionOf(original, undefined, undefined), message: original.message }
  return describe(tx, session, late, await rowWithoutParent(tx, context, actor, session, late))
}

/** Runs something that may fail without losing what was done before. */
async function attempt(tx: PoolClient, run: () => Promise<unknown>): Promise<DatabaseError | undefined> {
  await tx.query('savepoint attempt')
  try {
    await run()
    await tx.query('release savepoint attempt')
    return undefined
  } catch (error) {
    if (!isRejection(error)) throw error
    await tx.query('rollback to savepoint attempt')
    return error
  }
}

/** By halving: rows that can be applied stay applied, so that each is applied twice at most. */
async function firstFailing(
  tx: PoolClient,
  actor: Actor,
  session: PushSession,
  batch: ApplyBatch,
): Promise<number> {
  let [first, last] = [batch.first, batch.last]
  while (first < last) {
    const middle = Math.floor((first + last) / 2)
    const part = { ...batch, first, last: middle }
    if ((await attempt(tx, () => applyBatch(tx, actor, session, part))) === undefined) first = middle + 1
    else last = middle
  }
  return first
}

interface Reference {
  readonly child: string
  readonly parent: string
  readonly parentSchema: string
  readonly parentTable: string
}

/** With all rows applied: of the pushed one that refers to nothing, or one that others referred to and is gone. */
async function rowWithoutParent(
  tx: PoolClient,
  { tables }: ServiceContext,
  { userId }: Actor,
  { pushId }: PushSession,
  error: DatabaseError,
): Promise<FailedRow | undefined> {
  const table = tables.find(error.schema ?? '', error.table ?? '')
  const reference = table === undefined ? undefined : await readReference(tx, table, error.constraint)
  if (table === undefined || reference === undefined) return undefined
  const target = tables.find(reference.parentSchema, reference.parentTable)
  if (target === undefined) return undefined
  const column = `t.${quoteName(reference.child)}`
  const orphans = `from ${table.quoted} t join sync.push_session_rows s on s.push_id = $2 and s.table_id = $3
     and s.key_bytes = %key
     where t.${scopeColumn} = $1 and ${column} is not null and not exists (
       select from ${target.quoted} p where p.${scopeColumn} = $1 and p.${quoteName(reference.parent)} = ${column})`
  for (const [pushed, key] of [
    [table, `t.${quoteName(table.keyColumn)}`],
    [target, column],
  ] as const) {
    const { rows } = await tx.query<{ ordinal: string; op_code: OperationCode }>(
      `select s.row_ordinal::text as ordinal, s.op_code ${orphans.replace('%key', keyBytes(pushed, key))}
       order by s.row_ordinal limit 1`,
      [userId, pushId, pushed.id],
    )
    if (rows[0] === undefined) continue
    const ordinal = Number(rows[0].ordinal)
    return {
      ordinal,
      batch: {
        table: pushed,
        opCode: rows[0].op_code,
        columns: [],
        first: ordinal,
        last: ordinal,
        isHosted: false,
      },
    }
  }
  return undefined
}

async function readReference(
  tx: PoolClient,
  table: SyncTable,
  constraint: string | undefined,
): Promise<Reference | undefined> {
  const { rows } = await tx.query<{ child: string; parent: string; schema: string; table: string }>(
    `select c.attname as child, p.attname as parent, n.nspname as schema, r.relname as table
     from pg_constraint f join pg_attribute c on c.attrelid = f.conrelid and c.attnum = f.conkey[2]
       join pg_attribute p on p.attrelid = f.confrelid and p.attnum = f.confkey[2]
       join pg_class r on r.oid = f.confrelid join pg_namespace n on n.oid = r.relnamespace
     where f.conrelid = $1::regclass and f.conname = $2 and f.contype = 'f'`,
    [table.quoted, constraint ?? ''],
  )
  const row = rows[0]
  return row && { child: row.child, parent: row.parent, parentSchema: row.schema, parentTable: row.table }
}

async function describe(
  tx: PoolClient,
  { pushId }: PushSession,
  error: DatabaseError,
  row: FailedRow | undefined,
): Promise<{ readonly rejection: PushRejection; readonly message: string }> {
  if (row === undefined)
    return { rejection: rejectionOf(error, undefined, undefined), message: error.message }
  const { rows } = await tx.query<{ hex: string }>(
    `select encode(key_bytes, 'hex') as hex from sync.push_session_rows where push_id = $1 and row_ordinal = $2`,
    [pushId, row.ordinal],
  )
  const key = bytesToKey(row.batch.table.keyKind, Buffer.from(rows[0]?.hex ?? '', 'hex'))
  return { rejection: rejectionOf(error, row, key), message: error.message }
}

function rejectionOf(
  error: DatabaseError,
  row: FailedRow | undefined,
  key: string | undefined,
): PushRejection {
  const { code } = error
  return {
    reason: reasons[code] ?? (code.startsWith('22') ? 'bad_value' : 'other'),
    schema: row?.batch.table.schema ?? error.schema ?? '',
    table: row?.batch.table.name ?? error.table ?? '',
    key: row === undefined || key === undefined ? null : { [row.batch.table.keyColumn]: key },
    op: row === undefined ? null : operationOf(row.batch.opCode),
    row_ordinal: row?.ordinal ?? null,
    constraint: error.constraint ?? null,
    column: error.column ?? null,
    sqlstate: code,
  }
}
