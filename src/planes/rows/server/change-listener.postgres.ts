import type { Notification, PoolClient } from 'pg'
import * as z from 'zod'
import { quoteName } from './quote.postgres.ts'
import type { ServiceContext } from './service-context.ts'

const notificationSchema = z.object({
  user_pk: z.int().positive(),
  bundle_seq: z.int().positive(),
  source_id: z.string(),
  source_bundle_id: z.int().positive(),
})

const firstPauseMs = 100
const longestPauseMs = 2_000

/**
 * Hands the notifications of all processes on one database to the subscribers of this one, until `signal` aborts (§3.12).
 * Holds one connection. When that is lost it comes back, and whoever waits is told what was missed.
 */
export async function listenForChanges(context: ServiceContext, signal: AbortSignal): Promise<void> {
  let pauseMs = firstPauseMs
  while (!signal.aborted) {
    try {
      await listenOnce(context, signal, () => {
        pauseMs = firstPauseMs
      })
    } catch (error) {
      context.logger.warn('the listener for bundles lost its connection', { error: String(error), pauseMs })
    }
    await context.clock.sleep(pauseMs, signal).catch(() => {})
    pauseMs = Math.min(2 * pauseMs, longestPauseMs)
  }
}

async function listenOnce(
  context: ServiceContext,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const { pool, settings, hub, logger } = context
  const client = await pool.connect()
  const lost = Promise.withResolvers<void>()
  const stop = () => lost.resolve()
  const onNotification = ({ channel, payload = '' }: Notification) => {
    if (channel !== settings.bundleChangeWatch.notifyChannel) return
    const parsed = notificationSchema.safeParse(parseOrUndefined(payload))
    if (!parsed.success) return logger.warn('a notification that is not ours was ignored', { channel })
    const { user_pk, ...event } = parsed.data
    hub.publish({ userPk: String(user_pk), ...event })
  }
  client.on('error', lost.reject)
  client.on('end', stop)
  client.on('notification', onNotification)
  signal.addEventListener('abort', stop, { once: true })
  try {
    await client.query(`listen ${quoteName(settings.bundleChangeWatch.notifyChannel)}`)
    onListening()
    await catchUp(context, client)
    if (!signal.aborted) await lost.promise
  } finally {
    signal.removeEventListener('abort', stop)
    client.off('notification', onNotification)
    client.off('end', stop)
    client.off('error', lost.reject)
    // It listens still, so it must not serve anybody else.
    client.on('error', () => {})
    client.release(true)
  }
}

/** After listening began, so that nothing falls in between; what was delivered already is dropped by the subscribers. */
async function catchUp({ hub }: ServiceContext, client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ user_pk: string; latest: string }>(
    'select user_pk::text, (next_bundle_seq - 1)::text as latest from sync.user_state where user_pk = any($1::bigint[])',
    [hub.users()],
  )
  for (const { user_pk, latest } of rows) hub.publish({ userPk: user_pk, bundle_seq: Number(latest) })
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
