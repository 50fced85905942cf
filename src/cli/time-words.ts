const units: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
]

/** `5 min`, `3 h`, `2 d`: as exact as a person wants it. */
export function duration(ms: number): string {
  const [size, unit] = units.find(([unitMs]) => ms >= unitMs) ?? [1_000, 's']
  return `${Math.round(ms / size)} ${unit}`
}

export const ago = (at: number, now: number): string => `${duration(Math.max(0, now - at))} ago`
export const until = (at: number, now: number): string => (at <= now ? 'now' : `in ${duration(at - now)}`)

/** The day of a second of `created_at`, UTC: `2021-11-02`. Events may carry times no calendar has. */
export function day(second: number): string {
  const date = new Date(second * 1_000)
  return Number.isNaN(date.getTime()) ? `second ${second}` : date.toISOString().slice(0, 10)
}

/** `2021-11-02 12:00:07 UTC` */
export function instant(second: number): string {
  const date = new Date(second * 1_000)
  return Number.isNaN(date.getTime())
    ? `second ${second}`
    : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
