import type { z } from 'zod'
import type { KeyScope } from '../node/api-key.ts'
import type { Caller } from './caller.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** One call, its parts checked against the schemas of its route. */
export interface Call<Query = unknown, Body = unknown> {
  /** The named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  readonly body: Body
  readonly caller: Caller
  /** Aborts when the client goes away or the listener ends. */
  readonly signal: AbortSignal
}

/** One operation of the admin API: what validates it, what documents it and what does it, in one place. */
export interface Route {
  /** Unique; the `operationId` of the document and the method in the audit log. */
  readonly id: string
  readonly method: Method
  /** Below `/api/v1`, with `{name}` for variable parts. */
  readonly path: string
  readonly summary: string
  readonly tag: string
  /** What a key must be allowed to. */
  readonly scope: KeyScope
  readonly query: z.ZodType | undefined
  readonly body: z.ZodType | undefined
  /** What a body may hold, where the route leaves it to the node to say what is wrong with it. */
  readonly bodyDocument: z.ZodType | undefined
  readonly status: number
  /** Undefined: no body. */
  readonly answer: z.ZodType | undefined
  readonly stream: boolean
  /** Error statuses beyond those that every route has. */
  readonly errors: readonly number[]
  /** Answers the body; a route with `stream` a whole response. */
  handle(call: Call): Promise<unknown>
}

/** What a handler answers for a schema's value: the same, and it may be readonly. */
type Answer<T> = T extends readonly (infer E)[]
  ? readonly Answer<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Answer<T[K]> }
    : T

interface RouteSpec<Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType> {
  readonly id: string
  readonly method: Method
  readonly path: string
  readonly summary: string
  readonly tag: string
  readonly scope: KeyScope
  readonly query?: Q
  readonly body?: B
  readonly bodyDocument?: z.ZodType
  readonly status?: number
  readonly answer?: A
  readonly errors?: readonly number[]
  readonly handle: (call: Call<z.output<Q>, z.output<B>>) => Promise<Answer<z.input<A>>>
}

/** A route whose handler is typed by its schemas. */
export function route<Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType>(
  spec: RouteSpec<Q, B, A>,
): Route {
  const { query, body, bodyDocument, answer, errors = [], status = answer === undefined ? 204 : 200 } = spec
  return {
    ...spec,
    query,
    body,
    bodyDocument,
    answer,
    errors,
    status,
    stream: false,
    handle: (call) => spec.handle(call as Call<z.output<Q>, z.output<B>>),
  }
}

export type StreamSpec = Pick<Route, 'id' | 'path' | 'summary' | 'tag' | 'scope' | 'answer'> & {
  readonly handle: (call: Call) => Promise<Response>
}

/** A GET that answers with server-sent events; `answer` is the data of one of them. */
export function streamRoute(spec: StreamSpec): Route {
  return {
    ...spec,
    method: 'get',
    query: undefined,
    body: undefined,
    bodyDocument: undefined,
    status: 200,
    stream: true,
    errors: [503],
  }
}
