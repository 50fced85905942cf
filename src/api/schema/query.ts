import { z } from 'zod'

/** How many of a list, newest first. */
export const limit = (most: number, fallback: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}$/, `must be a whole number from 1 to ${most}`)
    .transform(Number)
    .refine((value) => value <= most, `must be a whole number from 1 to ${most}`)
    .default(fallback)
    .describe(`At most this many, up to ${most}; default ${fallback}.`)
