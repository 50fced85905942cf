import * as z from 'zod'
import { elementSpans, memberSpans, type Span } from './json-scan.ts'

/**
 * The frames of SYNC-PAGE (spec events §3.8): one page of one filter, by keyset cursor, over a relay's WebSocket.
 *
 *     ["SYNC-PAGE", id, filter, {"limit": n, "order": "asc", "after": [created_at, id] | null, "until": …}]
 *     ["SYNC-PAGE", id, {"events": […], "next": [created_at, id] | null, "complete": bool, "raw_count": n}]
 *     ["SYNC-PAGE-ERR", id, "<prefix>: <text>"]
 *
 * The encoding is our own: no other is public. Both sides know it by {@link SyncPageCodec} alone.
 */
const cursor = z.tuple([z.int().nonnegative(), z.string().regex(/^[0-9a-f]{64}$/)]).readonly()

const optionsSchema = z.strictObject({
  limit: z.int().positive().default(500),
  order: z.enum(['asc', 'desc']).default('asc'),
  after: cursor.nullable().default(null),
  until: cursor.nullable().default(null),
})

const pageSchema = z.object({
  next: cursor.nullable(),
  complete: z.boolean(),
  raw_count: z.int().nonnegative(),
})

/** What a relay that answers SYNC-PAGE says in its information document, as `sync_page`. */
export const syncPageInfoSchema = z.object({
  version: z.literal(1),
  /** Rows of one page; a larger `limit` is lowered to it. */
  max_limit: z.int().positive(),
  /** Bytes of one answer; a page that would be larger ends earlier. */
  max_bytes: z.int().positive(),
})

export type SyncPageCursor = z.infer<typeof cursor>

/** One filter, not yet checked where it came over the wire, and where in its walk the page lies. */
export interface SyncPageRequest extends z.infer<typeof optionsSchema> {
  readonly filter: unknown
}

/** A page by the texts of its events, which go in and out byte for byte. */
export interface SyncPage {
  readonly raws: readonly string[]
  /** The last row the relay looked at, shown or not; null when there was none. */
  readonly next: SyncPageCursor | null
  /** Exactly when nothing of the walk lies beyond. */
  readonly complete: boolean
  /** Rows of the page, those hidden from the reader too. */
  readonly rawCount: number
}

export type SyncPageAnswer =
  | { readonly kind: 'page'; readonly id: string; readonly page: SyncPage }
  | { readonly kind: 'error'; readonly id: string; readonly reason: string }

export interface SyncPageCodec {
  encodeRequest(id: string, request: SyncPageRequest): string
  /** @param rest what follows the id. A text says what is wrong with it. */
  decodeRequest(rest: readonly unknown[]): SyncPageRequest | string
  encodePage(id: string, page: SyncPage): string
  /** @param reason `<prefix>: <text>` */
  encodeError(id: string, reason: string): string
  /** The answer in a relay's message; undefined when it is another frame, or breaks the form. Never throws. */
  decodeAnswer(text: string): SyncPageAnswer | undefined
}

/** Version 1. */
export const syncPageCodec: SyncPageCodec = {
  encodeRequest(id, { filter, limit, order, after, until }) {
    return JSON.stringify(['SYNC-PAGE', id, filter, { limit, order, after, until }])
  },
  decodeRequest([filter, options = {}, ...extra]) {
    if (filter === undefined || extra.length > 0) return 'SYNC-PAGE is [id, filter, options]'
    const parsed = optionsSchema.safeParse(options)
    if (parsed.success) return { filter, ...parsed.data }
    const [issue] = parsed.error.issues
    return `${['options', ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not understood'}`
  },
  encodePage(id, { raws, next, complete, rawCount }) {
    const rest = JSON.stringify({ next, complete, raw_count: rawCount })
    return `["SYNC-PAGE",${JSON.stringify(id)},{"events":[${raws.join(',')}],${rest.slice(1)}]`
  },
  encodeError(id, reason) {
    return JSON.stringify(['SYNC-PAGE-ERR', id, reason])
  },
  decodeAnswer(text) {
    if (!/^\s*\[\s*"SYNC-PAGE/.test(text)) return undefined
    try {
      return answerOf(elementSpans(text).map((span) => cut(text, span)))
    } catch {
      return undefined
    }
  },
}

/** Throws for what is no JSON. */
function answerOf([quotedVerb = '', quotedId = '', body = '']: readonly string[]):
  | SyncPageAnswer
  | undefined {
  const [verb, id] = [JSON.parse(quotedVerb), JSON.parse(quotedId)] as unknown[]
  if (typeof id !== 'string') return undefined
  if (verb === 'SYNC-PAGE-ERR') {
    const reason: unknown = JSON.parse(body)
    return typeof reason === 'string' ? { kind: 'error', id, reason } : undefined
  }
  const page = verb === 'SYNC-PAGE' ? pageOf(body) : undefined
  return page && { kind: 'page', id, page }
}

/** The texts of the events are cut out unparsed: they are checked, and stored, as they came. */
function pageOf(body: string): SyncPage | undefined {
  let raws: readonly string[] | undefined
  const rest: Record<string, unknown> = {}
  for (const { key, value } of memberSpans(body)) {
    const name: unknown = JSON.parse(cut(body, key))
    const text = cut(body, value)
    if (name === 'events') raws = elementSpans(text).map((span) => cut(text, span))
    else if (name === 'next' || name === 'complete' || name === 'raw_count') rest[name] = JSON.parse(text)
  }
  const parsed = pageSchema.safeParse(rest)
  if (raws === undefined || !parsed.success) return undefined
  const { next, complete, raw_count: rawCount } = parsed.data
  return { raws, next, complete, rawCount }
}

function cut(text: string, [start, end]: Span): string {
  return text.slice(start, end)
}
