import * as z from 'zod'
import type { Peer } from '../../../kernel/peer.ts'
import type { Plane, Session } from '../../../kernel/plane.ts'
import type { Outcome, Phase, Progress } from '../../../kernel/progress.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { isRowsClientError } from './client-error.ts'
import { attemptFailure, blockedReason } from './plane-failure.ts'
import type { RowsClient } from './rows-client.ts'
import type { RowsProgress } from './sync-core.ts'

const scopeSchema = z.object({ user: z.string().trim().min(1) })
/** Whose rows. */
export type RowsScope = z.infer<typeof scopeSchema>

const checkpointSchema = z.object({ bundleSeq: z.int().nonnegative() })
/**
 * A copy, for people, of the checkpoint that lies with the rows in the client's own database and moves with them there. Where
 * the two differ that one counts.
 */
export type RowsCheckpoint = z.infer<typeof checkpointSchema>

export interface RowsPlaneOptions {
  /** The client of the database that this user's rows from this server are kept in. It is opened here, and stays the host's. */
  clientFor(scope: RowsScope, peer: Peer): RowsClient | Promise<RowsClient>
}

export type RowsPlane<Tx> = Plane<RowsScope, RowsCheckpoint, Tx>

/** The rows of one user, kept in step with one server per link: the rows client as the kernel drives it. */
export function createRowsPlane<Tx>({ clientFor }: RowsPlaneOptions): RowsPlane<Tx> {
  return {
    name: 'rows',
    scope: scopeSchema,
    checkpoint: checkpointSchema,
    // The tables lie in the client's database, which brings its own layout.
    migrations: [],
    sync: (session) => sync(clientFor, session),
  }
}

type RowsSession<Tx> = Session<RowsScope, RowsCheckpoint, Tx>

async function* sync<Tx>(
  clientFor: RowsPlaneOptions['clientFor'],
  session: RowsSession<Tx>,
): AsyncGenerator<Progress, Outcome> {
  const { link, peer, signal } = session
  yield { phase: 'connecting', done: 0 }
  const client = await clientFor(link.scope, peer)
  try {
    await client.open()
    const attached = await client.attach(link.scope.user, { signal })
    if (attached.status === 'retry_later')
      throw new SyncError('peer/busy', 'another device is giving the server its first rows', {
        retryAfterMs: attached.retryAfterMs,
      })
    for (;;) {
      yield* during((onProgress) => client.sync({ signal, onProgress }))
      const bundleSeq = client.lastBundleSeqSeen()
      if (bundleSeq !== session.checkpoint?.bundleSeq)
        await session.commit(async () => ({ checkpoint: { bundleSeq } }))
      if (!link.live) return { kind: 'caught-up' }
      yield { phase: 'live', done: 0 }
      await client.waitForWork({ signal })
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (isRowsClientError(error, 'rows/rebuild-required', 'rows/recovery-required'))
      return yield* rebuild(client, error.message, signal)
    const reason = blockedReason(error)
    if (reason !== undefined) return { kind: 'blocked', reason }
    throw attemptFailure(error)
  }
}

/** The kernel runs the link again, and stops one that asks for it too often. */
async function* rebuild(
  client: RowsClient,
  reason: string,
  signal: AbortSignal,
): AsyncGenerator<Progress, Outcome> {
  try {
    yield* during((onProgress) => client.rebuild({ signal, onProgress }))
  } catch (error) {
    throw signal.aborted ? signal.reason : attemptFailure(error)
  }
  return { kind: 'rebuild', reason }
}

const phases: Readonly<Record<RowsProgress['step'], Phase>> = {
  uploading: 'transferring',
  confirming: 'verifying',
  pulling: 'transferring',
  'downloading-snapshot': 'transferring',
  'applying-snapshot': 'transferring',
}

/** Reports the newest progress of `work` until it ends. */
async function* during(
  work: (onProgress: (progress: RowsProgress) => void) => Promise<unknown>,
): AsyncGenerator<Progress, void> {
  let latest: RowsProgress | undefined
  let wake = Promise.withResolvers<void>()
  let ended = false
  const running = work((progress) => {
    latest = progress
    wake.resolve()
  }).finally(() => {
    ended = true
    wake.resolve()
  })
  // It is awaited below, after the last report.
  running.catch(() => {})
  while (!ended) {
    await wake.promise
    wake = Promise.withResolvers<void>()
    if (latest === undefined) continue
    const { step, done, total } = latest
    latest = undefined
    yield {
      phase: phases[step],
      done,
      remaining: total === undefined ? undefined : Math.max(0, total - done),
    }
  }
  await running
}
