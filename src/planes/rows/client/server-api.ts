import * as z from 'zod'
import { type CapabilitiesResponse, capabilitiesResponseSchema } from '../wire/capabilities.ts'
import { type CommittedRowsResponse, committedRowsResponseSchema } from '../wire/committed-rows.ts'
import { type ConnectResponse, connectResponseSchema } from '../wire/connect.ts'
import { paths } from '../wire/protocol.ts'
import { type PullResponse, pullResponseSchema } from '../wire/pull.ts'
import {
  type CommittedPush,
  type CreatePushRequest,
  type CreatePushResponse,
  committedPushSchema,
  createPushResponseSchema,
  type PushChunkResponse,
  pushChunkResponseSchema,
} from '../wire/push.ts'
import {
  type CreateSnapshotResponse,
  createSnapshotResponseSchema,
  type SnapshotChunkResponse,
  type SourceReplacement,
  snapshotChunkResponseSchema,
} from '../wire/snapshot.ts'
import { type Call, HttpLine, type HttpLineOptions } from './http-line.ts'

/** Who asks, and until when. */
export interface Caller {
  readonly sourceId: string
  readonly signal: AbortSignal
}

const nothing = z.unknown()

/** What was transferred since the client was made, or since it was reset. Attempts that failed do not count. */
export interface TransferDiagnostics {
  readonly snapshotSessionsCreated: number
  readonly snapshotChunksFetched: number
  readonly pushSessionsCreated: number
  readonly pushChunksUploaded: number
  readonly committedBundleChunksRead: number
}

const nothingTransferred: TransferDiagnostics = {
  snapshotSessionsCreated: 0,
  snapshotChunksFetched: 0,
  pushSessionsCreated: 0,
  pushChunksUploaded: 0,
  committedBundleChunksRead: 0,
}

/** The operations of the server (§2.4), one request each: validated, never retried here. */
export class ServerApi {
  readonly #line: HttpLine
  #transferred = nothingTransferred

  constructor(options: HttpLineOptions) {
    this.#line = new HttpLine(options)
  }

  get transferred(): TransferDiagnostics {
    return this.#transferred
  }

  resetTransferred(): void {
    this.#transferred = nothingTransferred
  }

  async #counted<T>(name: keyof TransferDiagnostics, answer: Promise<T>): Promise<T> {
    const value = await answer
    this.#transferred = { ...this.#transferred, [name]: this.#transferred[name] + 1 }
    return value
  }

  capabilities(caller: Caller): Promise<CapabilitiesResponse> {
    return this.#line.request(get(caller, paths.capabilities), capabilitiesResponseSchema)
  }

  connect(caller: Caller, hasLocalPendingRows: boolean): Promise<ConnectResponse> {
    const body = JSON.stringify({ has_local_pending_rows: hasLocalPendingRows })
    return this.#line.request(post(caller, paths.connect, body), connectResponseSchema)
  }

  createPush(caller: Caller, request: CreatePushRequest): Promise<CreatePushResponse> {
    return this.#counted(
      'pushSessionsCreated',
      this.#line.request(post(caller, paths.pushSessions, JSON.stringify(request)), createPushResponseSchema),
    )
  }

  /** @param rows a JSON list */
  uploadChunk(caller: Caller, pushId: string, start: number, rows: string): Promise<PushChunkResponse> {
    const body = `{"start_row_ordinal":${start},"rows":${rows}}`
    return this.#counted(
      'pushChunksUploaded',
      this.#line.request(post(caller, paths.pushChunks(pushId), body), pushChunkResponseSchema),
    )
  }

  commitPush(caller: Caller, pushId: string): Promise<CommittedPush> {
    return this.#line.request(post(caller, paths.pushCommit(pushId)), committedPushSchema)
  }

  async deletePush(caller: Caller, pushId: string): Promise<void> {
    await this.#line.request({ ...caller, method: 'DELETE', path: paths.pushSession(pushId) }, nothing)
  }

  /** @param after the 0-based ordinal of the last row that is held; undefined for the first page */
  committedRows(
    caller: Caller,
    bundleSeq: number,
    after: number | undefined,
    maxRows: number,
  ): Promise<CommittedRowsResponse> {
    const cursor = after === undefined ? '' : `after_row_ordinal=${after}&`
    const path = `${paths.committedRows(bundleSeq)}?${cursor}max_rows=${maxRows}`
    return this.#counted(
      'committedBundleChunksRead',
      this.#line.request(get(caller, path), committedRowsResponseSchema),
    )
  }

  /** @param target the ceiling of the round; undefined on its first page */
  pull(caller: Caller, after: number, maxBundles: number, target: number | undefined): Promise<PullResponse> {
    const ceiling = target === undefined ? '' : `&target_bundle_seq=${target}`
    const path = `${paths.pull}?after_bundle_seq=${after}&max_bundles=${maxBundles}${ceiling}`
    return this.#line.request(get(caller, path), pullResponseSchema)
  }

  createSnapshot(
    caller: Caller,
    replacement: SourceReplacement | undefined,
  ): Promise<CreateSnapshotResponse> {
    const body = replacement === undefined ? undefined : JSON.stringify({ source_replacement: replacement })
    return this.#counted(
      'snapshotSessionsCreated',
      this.#line.request(post(caller, paths.snapshotSessions, body), createSnapshotResponseSchema),
    )
  }

  /** @param held how many rows are held already */
  snapshotChunk(
    caller: Caller,
    snapshotId: string,
    held: number,
    maxRows: number,
  ): Promise<SnapshotChunkResponse> {
    const path = `${paths.snapshotSession(snapshotId)}?after_row_ordinal=${held}&max_rows=${maxRows}`
    return this.#counted(
      'snapshotChunksFetched',
      this.#line.request(get(caller, path), snapshotChunkResponseSchema),
    )
  }

  async deleteSnapshot(caller: Caller, snapshotId: string): Promise<void> {
    await this.#line.request(
      { ...caller, method: 'DELETE', path: paths.snapshotSession(snapshotId) },
      nothing,
    )
  }

  /** The stream of hints (§2.12), to be read by the caller. */
  watch(caller: Caller, after: number): Promise<Response> {
    return this.#line.stream(get(caller, `${paths.watch}?after_bundle_seq=${after}`))
  }
}

function get(caller: Caller, path: string): Call {
  return { ...caller, method: 'GET', path }
}

function post(caller: Caller, path: string, body?: string): Call {
  return { ...caller, method: 'POST', path, body }
}
