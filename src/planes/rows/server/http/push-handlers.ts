import { connectRequestSchema } from '../../wire/connect.ts'
import { createPushRequestSchema, pushChunkRequestSchema } from '../../wire/push.ts'
import { type HandlerKit, maxRows, pathSegment } from './handler-kit.ts'
import { jsonAnswer, textAnswer } from './json-answer.ts'
import { parseInteger, queryInteger } from './query-integer.ts'
import { readJson } from './request-body.ts'

/** Connect, push, and the rows of what was pushed. */
export function pushHandlers(kit: HandlerKit) {
  const { service } = kit
  const maxBytes = service.settings.maxRequestBytes
  return {
    connect: kit.forActor('POST', 'connect_failed', async (request, actor) => {
      const body = await readJson(request, connectRequestSchema, maxBytes)
      return jsonAnswer(await service.connect(actor, body))
    }),

    createPushSession: kit.forActor('POST', 'push_session_create_failed', async (request, actor) => {
      const body = await readJson(request, createPushRequestSchema, maxBytes)
      return jsonAnswer(await service.createPushSession(actor, body))
    }),

    pushSessionChunk: kit.forActor('POST', 'push_chunk_failed', async (request, actor) => {
      const body = await readJson(request, pushChunkRequestSchema, maxBytes, ([member, row]) =>
        member === 'rows' && row !== undefined ? 'push_chunk_invalid' : 'invalid_request',
      )
      return jsonAnswer(await service.uploadPushChunk(actor, pathSegment(request, 1), body))
    }),

    commitPushSession: kit.forActor('POST', 'push_session_commit_failed', async (request, actor) =>
      jsonAnswer(await service.commitPushSession(actor, pathSegment(request, 1))),
    ),

    deletePushSession: kit.forActor('DELETE', 'push_session_delete_failed', async (request, actor) => {
      await service.deletePushSession(actor, pathSegment(request, 0))
      return new Response(null, { status: 204 })
    }),

    committedBundleRows: kit.forActor('GET', 'committed_bundle_rows_failed', async (request, actor) => {
      const code = 'committed_bundle_chunk_invalid'
      const url = new URL(request.url)
      const seq = parseInteger(pathSegment(request, 1), 'bundle_seq', code)
      const after = queryInteger(url, 'after_row_ordinal', code)
      return textAnswer(await service.committedRowsBody(actor, seq, after, maxRows(url, code)))
    }),
  }
}
