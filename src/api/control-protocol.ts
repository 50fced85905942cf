import * as z from 'zod'

/** The control socket's file within a data directory. Its directory is private to the node's user. */
export const socketName = 'syncline.sock'

/** What can be asked of the parts of a node, by their names in `NodeControl`; true: it changes something. */
export const askable = {
  keys: { create: true, list: false, revoke: true },
  identityControl: { show: false, import: true, rotate: true },
  acl: { grant: true, revoke: true, list: false },
  rows: { scopes: false, scope: false, prune: true },
  documents: {
    create: true,
    list: false,
    show: false,
    read: false,
    // What is written is not noted a second time: entries say themselves who wrote what.
    write: false,
    remove: false,
    share: true,
    unshare: true,
    ticket: true,
    join: true,
    sync: true,
    requests: false,
    approve: true,
    reject: true,
    grant: true,
    revoke: true,
    peers: false,
    removePeer: true,
    history: false,
  },
  sync: {
    putServer: true,
    getServer: false,
    listServers: false,
    removeServer: true,
    startServer: true,
    stopServer: true,
    syncNow: true,
    serverStats: false,
    syncStats: false,
    syncHealth: false,
    exportServers: false,
    importServers: true,
    createRelay: true,
    updateRelay: true,
    getRelay: false,
    removeRelay: true,
    trigger: true,
    recover: true,
    reset: true,
    states: false,
    runs: false,
    deadLetters: false,
    reviveDeadLetters: true,
    metrics: false,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, boolean>>>>

/** Those that may take long: after their arguments they get a signal that ends them and somebody to tell how they go. */
export const waiting: ReadonlySet<string> = new Set(['documents.join', 'documents.sync'])

/**
 * What goes through the control socket: lines of JSON, one call per connection. The first line is the call, for
 * `import` the lines to import follow until the caller ends its side. The answer is a stream of lines: any number of
 * `progress` and `line`, then exactly one `result` or `error`. A stream that ends without one was cut off.
 */
export const callSchema = z.discriminatedUnion('call', [
  z.strictObject({ call: z.literal('status') }),
  z.strictObject({ call: z.literal('import'), verify: z.boolean() }),
  z.strictObject({
    call: z.literal('syncOnce'),
    url: z.string(),
    direction: z.enum(['down', 'up', 'both', 'none']),
    filter: z.unknown(),
    live: z.boolean(),
  }),
  z.strictObject({ call: z.literal('export'), filter: z.unknown() }),
  z.strictObject({ call: z.literal('query'), filter: z.unknown() }),
  z.strictObject({ call: z.literal('count'), filter: z.unknown() }),
  z.strictObject({ call: z.literal('updates') }),
  z.strictObject({
    call: z.literal('ask'),
    of: z.enum(['keys', 'identityControl', 'acl', 'rows', 'documents', 'sync']),
    method: z.string(),
    args: z.array(z.unknown()).max(4),
  }),
])

export type ControlCall = z.infer<typeof callSchema>

export type ControlLine =
  | { readonly progress: unknown }
  | { readonly line: string }
  | { readonly result: unknown }
  | { readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean } }
