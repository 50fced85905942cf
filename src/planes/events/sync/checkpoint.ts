import * as z from 'zod'

const second = z.int().nonnegative()

/** What one link remembers between attempts (specs §2.19). */
export const checkpointSchema = z.strictObject({
  /** Seconds of `created_at` for which everything the peer had is here, or was disposed of. */
  coverage: z.array(z.tuple([second, second])),
  /** Local events up to this `seq` were offered to the peer, each with a final answer. */
  uploadSeq: z.int().nonnegative(),
  /** Seconds that hold more events than the peer hands out and could not be split further: known to be incomplete. */
  gaps: z.array(z.strictObject({ second, reason: z.string() })),
  /** How the last attempt found the difference. */
  strategy: z.enum(['negentropy', 'req']).optional(),
})

export type EventsCheckpoint = z.infer<typeof checkpointSchema>

export const emptyCheckpoint: EventsCheckpoint = { coverage: [], uploadSeq: 0, gaps: [] }
