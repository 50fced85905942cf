/** Seconds of an age's unit, as strfry counts them: a month is 30.5 days, a year 365.2425. */
const units: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  M: 30.5 * 86_400,
  Y: 365.2425 * 86_400,
}

export interface AgeRange {
  readonly since?: number
  readonly until?: number
}

/**
 * The times between two ages, `START-END`, either may be missing: `2M-` is the last two months, `1Y-3w` from a year ago to
 * three weeks ago. Undefined when it is none, or ends before it begins.
 *
 * @param now seconds
 */
export function parseAgeRange(text: string, now: number): AgeRange | undefined {
  const [, start = '', end = ''] = /^(\d{1,6}[smhdwMY])?-(\d{1,6}[smhdwMY])?$/.exec(text) ?? []
  if (start === '' && end === '') return undefined
  const since = start === '' ? undefined : Math.max(0, now - age(start))
  const until = end === '' ? undefined : Math.max(0, now - age(end))
  if (since !== undefined && until !== undefined && since > until) return undefined
  return { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
}

const age = (text: string): number => Math.round(Number(text.slice(0, -1)) * units[text.slice(-1)]!)
