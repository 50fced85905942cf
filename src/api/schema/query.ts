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

/** A choice of a query string that stands for yes or no. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
