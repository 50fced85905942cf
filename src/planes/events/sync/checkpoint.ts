import * as z from 'zod'

const second = z.int().nonnegative()
const seq = z.int().nonnegative()
const intervals = z.array(z.tuple([second, second]))

/** A comparison of the whole wanted range, covered or not, that may take several attempts. */
const pass = z.strictObject({
  /** Second in which it began: what it has to reach. */
  startedAt: second,
  done: intervals,
  /** Some window was found without knowing what the peer lacks of ours. */
  oneWay: z.boolean(),
})

/**
 * What one link remembers between attempts (specs §2.19). Everything that older versions did not have is optional: a
 * checkpoint of theirs is taken on as it is.
 */
export const checkpointSchema = z.strictObject({
  /**
   * Seconds of `created_at` for which everything the peer had is here, or was disposed of; for a link that only goes up,
   * those for which both sides were compared.
   */
  coverage: intervals,
  /** Local events up to this `seq` were offered to the peer, each with a final answer; but for the `backlog`. */
  uploadSeq: seq,
  /** Local events from before the link began: left to the first comparison, offered one by one where there is none. */
  backlog: z.strictObject({ after: seq, upTo: seq }).optional(),
  /** Seconds that hold more events than the peer hands out and could not be split further: known to be incomplete. */
  gaps: z.array(z.strictObject({ second, reason: z.string() })),
  /** How the last attempt found the difference. */
  strategy: z.enum(['negentropy', 'req', 'sync_page']).optional(),
  /** Second in which the link began: what history reaches back from. */
  createdAt: second.optional(),
  /** The oldest second that is wanted. */
  target: second.optional(),
  /** The greatest event at or below the top of the coverage; never goes back. */
  cursor: z.tuple([second, z.string()]).optional(),
  /** How far a walk by SYNC-PAGE got. */
  pageCursor: z.tuple([second, z.string()]).optional(),
  pass: pass.optional(),
  /** Second in which the last comparison of everything began. */
  fullAt: second.optional(),
  /** What the peer can and cannot do, as observed. */
  learned: z
    .strictObject({
      /** Second in which it was learned; it is believed for a day. */
      at: second,
      negentropy: z.strictObject({ works: z.boolean(), reason: z.string() }).optional(),
      /** Connections in a row that ended while the first NEG-OPEN was unanswered. */
      negentropyDrops: z.int().nonnegative().optional(),
      syncPage: z.strictObject({ works: z.boolean(), reason: z.string() }).optional(),
      /** False: `limit: 0` is misunderstood, and live subscriptions ask for 1. */
      limitZero: z.boolean().optional(),
      /** The largest `limit` it takes. */
      maxLimit: z.int().positive().optional(),
      /** Bytes of the largest negentropy message it takes. */
      frameLimit: z.int().positive().optional(),
      /** What its information document says of subscriptions open at once, and of the longest message. */
      maxSubscriptions: z.int().positive().optional(),
      maxMessageLength: z.int().positive().optional(),
    })
    .optional(),
})

export type EventsCheckpoint = z.infer<typeof checkpointSchema>

export type Learned = NonNullable<EventsCheckpoint['learned']>

export const emptyCheckpoint: EventsCheckpoint = { coverage: [], uploadSeq: 0, gaps: [] }
