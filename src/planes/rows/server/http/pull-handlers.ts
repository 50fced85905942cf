import { createSnapshotRequestSchema } from '../../wire/snapshot.ts'
import { RowsError } from '../rows-error.ts'
import { maxBundlesPerPull } from '../service-config.ts'
import { type HandlerKit, maxRows, pathSegment } from './handler-kit.ts'
import { jsonAnswer, textAnswer } from './json-answer.ts'
import { queryInteger } from './query-integer.ts'
import { readOptionalJson } from './request-body.ts'
import { watchAnswer } from './watch-stream.ts'

/** Pull, snapshots, and the news that there is something to pull. */
export function pullHandlers(kit: HandlerKit) {
  const { service } = kit
  return {
    pull: kit.forActor('GET', 'pull_failed', async (request, actor) => {
      const url = new URL(request.url)
      const number = (name: string) => queryInteger(url, name, 'invalid_request')
      const max = number('max_bundles')
      if (max !== undefined && (max < 1 || max > maxBundlesPerPull))
        throw new RowsError('invalid_request', `max_bundles must be 1 to ${maxBundlesPerPull}`)
      const [after, target] = [number('after_bundle_seq') ?? 0, number('target_bundle_seq') ?? 0]
      return textAnswer(await service.pullBody(actor, after, max ?? 0, target))
    }),

    createSnapshotSession: kit.forActor('POST', 'snapshot_session_create_failed', async (request, actor) => {
      const { maxRequestBytes } = service.settings
      const code = () => 'snapshot_session_invalid' as const
      const body = await readOptionalJson(request, createSnapshotRequestSchema, maxRequestBytes, code)
      return jsonAnswer(await service.createSnapshotSession(actor, body))
    }),

    snapshotChunk: kit.forActor('GET', 'snapshot_chunk_failed', async (request, actor) => {
      const code = 'snapshot_chunk_invalid'
      const url = new URL(request.url)
      const held = queryInteger(url, 'after_row_ordinal', code) ?? 0
      const id = pathSegment(request, 0)
      return textAnswer(await service.snapshotChunkBody(actor, id, held, maxRows(url, code)))
    }),

    deleteSnapshotSession: kit.forActor(
      'DELETE',
      'snapshot_session_delete_failed',
      async (request, actor) => {
        await service.deleteSnapshotSession(actor, pathSegment(request, 0))
        return new Response(null, { status: 204 })
      },
    ),

    watch: kit.forActor('GET', 'bundle_change_watch_failed', async (request, actor) => {
      const { enabled, heartbeatIntervalMs } = service.settings.bundleChangeWatch
      if (enabled && !(await kit.mayWatch(actor)))
        throw new RowsError(
          'bundle_change_watch_forbidden',
          'this user gets no news of bundles: pull now and then',
        )
      const after = queryInteger(new URL(request.url), 'after_bundle_seq', 'invalid_request') ?? 0
      if (after < 0) throw new RowsError('invalid_request', 'after_bundle_seq must not be negative')
      const subscription = await service.subscribeBundleChanges(actor, after)
      return watchAnswer(subscription, heartbeatIntervalMs, kit.clock, request.signal)
    }),
  }
}
