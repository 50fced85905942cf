/** `YYYY-MM-DDTHH:MM:SSZ`; null for no time. */
export function isoSeconds(ms: number): string
export function isoSeconds(ms: number | undefined): string | null
export function isoSeconds(ms: number | undefined): string | null {
  if (ms === undefined || !Number.isFinite(ms)) return null
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
