import type { PoolClient } from 'pg'
import type { Actor } from './actor.ts'
import { readBundleRows, readWholeBundles } from './bundle-rows.postgres.ts'
import type { JsonBody } from './json-body.ts'
import { RowsError } from './rows-error.ts'
import { readScope, requireInitialized, type Scope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { transact } from './transaction.postgres.ts'

export interface PullRequest {
  /** The caller's checkpoint. */
  readonly after: number
  /** 1 to 5000. */
  readonly maxBundles: number
  /** The ceiling that an earlier page named; 0: the newest bundle. */
  readonly target: number
}

interface BundleHeader {
  readonly seq: number
  readonly bytes: number
  readonly rows: number
  /** The members of the bundle's JSON before its rows. */
  readonly text: string
}

const rowsPerRead = 2_000

/**
 * A page of bundles (§5.1) as JSON text: complete, ascending, without a gap after the checkpoint, and all from one state of
 * the database. Beyond go-oversync it ends early where it would become too large, and tells a checkpoint that lies before
 * the retained history, or beyond it, from one that is up to date (§12 items 6 and 7).
 */
export async function pull(
  context: ServiceContext,
  { userId }: Actor,
  request: PullRequest,
): Promise<JsonBody> {
  const { stages } = context
  const options = { isolation: 'repeatable read', readOnly: true } as const
  return stages.measure('pull', 'transaction', request.maxBundles, () =>
    transact(context.pool, options, async (tx) => {
      const scope = requireInitialized(await readScope(tx, userId))
      await stages.measure('pull', 'retained_floor_check', 1, async () => refuseGap(scope, request))
      const stable = await stages.measure(
        'pull',
        'resolve_stable_bundle_seq',
        1,
        async () => request.target || scope.latest,
      )
      if (request.after >= stable) return `{"stable_bundle_seq":${stable},"bundles":[],"has_more":false}`
      return page(tx, context, scope, request, stable)
    }),
  )
}

function refuseGap({ floor, latest }: Scope, { after, target }: PullRequest): void {
  if (after < floor || (target > 0 && target <= floor))
    throw new RowsError('history_pruned', `bundles up to ${floor} are gone: begin anew with a snapshot`, {
      providedBundleSeq: after < floor ? after : target,
      retainedBundleFloor: floor,
    })
  if (after > latest || target > latest)
    throw new RowsError(
      'checkpoint_ahead',
      `the newest bundle is ${latest}: the server was set back, or the checkpoint is not of this scope; begin anew with a snapshot`,
    )
}

async function page(
  tx: PoolClient,
  context: ServiceContext,
  { userPk }: Scope,
  { after, maxBundles }: PullRequest,
  stable: number,
): Promise<JsonBody> {
  const { settings, stages } = context
  const found = await stages.measure(
    'pull',
    'list_bundle_seqs',
    (headers) => headers.length,
    () => readHeaders(tx, userPk, after, stable, maxBundles + 1),
  )
  const headers = fitting(found.slice(0, maxBundles), settings.maxPullPageBytes)
  const more = headers.length < found.length
  const [first] = headers
  if (first === undefined || first.seq !== after + 1)
    throw new Error(`bundle ${after + 1} of ${stable} is missing from the log of user ${userPk}`)
  // Its rows cannot change any more, so they need not be read in this transaction.
  if (first.bytes > settings.maxPullPageBytes) return longBundle(context, userPk, first, stable, more)
  const rows = await stages.measure('pull', 'load_bundles', headers.length, () =>
    readWholeBundles(tx, userPk, first.seq, headers.at(-1)!.seq),
  )
  const bundles = headers.map((header) => `${header.text}${rows.get(header.seq) ?? ''}]}`)
  return `{"stable_bundle_seq":${stable},"bundles":[${bundles.join(',')}],"has_more":${more}}`
}

/** The first, and those that follow while they fit. */
function fitting(headers: readonly BundleHeader[], maxBytes: number): readonly BundleHeader[] {
  let bytes = 0
  const end = headers.findIndex((header, i) => {
    bytes += header.bytes
    return i > 0 && bytes > maxBytes
  })
  return end === -1 ? headers : headers.slice(0, end)
}

async function readHeaders(
  tx: PoolClient,
  userPk: string,
  after: number,
  stable: number,
  limit: number,
): Promise<readonly BundleHeader[]> {
  const { rows } = await tx.query<{ seq: string; bytes: string; rows: string; text: string }>(
    `select bundle_seq::text as seq, byte_count::text as bytes, row_count::text as rows,
       '{"bundle_seq":' || bundle_seq || ',"source_id":' || to_json(source_id) || ',"source_bundle_id":' ||
         source_bundle_id || ',"row_count":' || row_count || ',"bundle_hash":"' || encode(bundle_hash, 'hex') ||
         '","rows":[' as text
     from sync.bundle_log where user_pk = $1 and bundle_seq > $2 and bundle_seq <= $3 order by bundle_seq limit $4`,
    [userPk, after, stable, limit],
  )
  return rows.map((row) => ({
    seq: Number(row.seq),
    bytes: Number(row.bytes),
    rows: Number(row.rows),
    text: row.text,
  }))
}

/** A bundle that is larger than a page should be, read while it is sent. */
async function* longBundle(
  { pool, settings }: ServiceContext,
  userPk: string,
  header: BundleHeader,
  stable: number,
  more: boolean,
): AsyncGenerator<string> {
  yield `{"stable_bundle_seq":${stable},"bundles":[${header.text}`
  const read = (held: number) =>
    readBundleRows(pool, userPk, header.seq, held, rowsPerRead, settings.maxPullPageBytes)
  let next = read(0)
  for (let held = 0; held < header.rows; ) {
    const rows = await next
    // The answer breaks off, which no client takes for a page.
    if (rows.count === 0)
      throw new RowsError('history_pruned', `bundle ${header.seq} was pruned while it was sent`)
    const separator = held === 0 ? '' : ','
    held += rows.count
    if (held < header.rows) {
      // Read while these are sent. It is awaited in the next round; until then a failure of it is nobody's.
      next = read(held)
      next.catch(() => {})
    }
    yield `${separator}${rows.text}`
  }
  yield `]}],"has_more":${more}}`
}
