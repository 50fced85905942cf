import { z } from 'zod'
import { dispatchModes } from '../../node/sync-control.ts'
import { component } from './component.ts'

export const dispatchMode = z.enum(dispatchModes)

export const dispatchReport = component(
  'DispatchReport',
  'What a trigger set going, and what not and why.',
  z.strictObject({
    mode: dispatchMode,
    dispatched: z.array(z.strictObject({ id: z.string(), url: z.string(), run_id: z.int() })),
    skipped: z.array(
      z.strictObject({
        id: z.string().nullable(),
        url: z.string(),
        reason: z.enum([
          'unknown_relay',
          'relay_disabled',
          'stopped',
          'backfill_disabled',
          'direction_mismatch',
          'already_syncing',
          'live',
          'backfill_complete',
          'backing_off',
        ]),
      }),
    ),
  }),
)
