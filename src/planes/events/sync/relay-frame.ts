import * as z from 'zod'

/** A relay's frames other than EVENT, which is cut out of its text unparsed (see relay-client.ts). */
const frames = {
  EOSE: z.tuple([z.literal('EOSE'), z.string()]).rest(z.unknown()),
  CLOSED: z.tuple([z.literal('CLOSED'), z.string(), z.string().catch('')]).rest(z.unknown()),
  OK: z.tuple([z.literal('OK'), z.string(), z.boolean(), z.string().catch('')]).rest(z.unknown()),
  NOTICE: z.tuple([z.literal('NOTICE'), z.string()]).rest(z.unknown()),
  AUTH: z.tuple([z.literal('AUTH'), z.string()]).rest(z.unknown()),
  COUNT: z
    .tuple([
      z.literal('COUNT'),
      z.string(),
      z.object({
        count: z.int().nonnegative(),
        fingerprint: z
          .string()
          .regex(/^[0-9a-f]{32}$/)
          .optional(),
      }),
    ])
    .rest(z.unknown()),
  'NEG-MSG': z.tuple([z.literal('NEG-MSG'), z.string(), z.string()]).rest(z.unknown()),
  'NEG-ERR': z.tuple([z.literal('NEG-ERR'), z.string(), z.string().catch('')]).rest(z.unknown()),
} as const

export type RelayFrame = {
  [Verb in keyof typeof frames]: z.infer<(typeof frames)[Verb]>
}[keyof typeof frames]

/** Undefined: not a frame of NIP-01, 42, 45, 67 or 77, or one that breaks its form. */
export function parseRelayFrame(text: string): RelayFrame | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || typeof value[0] !== 'string' || !Object.hasOwn(frames, value[0]))
    return undefined
  const parsed = frames[value[0] as keyof typeof frames].safeParse(value)
  return parsed.success ? (parsed.data as RelayFrame) : undefined
}

/** The machine-readable part of an OK, CLOSED or NEG-ERR text: what stands before the first `: `. */
export function reasonPrefix(reason: string): string {
  const end = reason.indexOf(':')
  const prefix = end < 0 ? '' : reason.slice(0, end)
  return /^[a-z-]+$/.test(prefix) ? prefix : ''
}
