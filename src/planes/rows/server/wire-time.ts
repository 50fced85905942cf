/**
 * A timestamp on the wire (§2.1), from PostgreSQL's ISO text in UTC (`2026-06-08 10:15:30.1234+00`): RFC 3339 with `Z`
 * and no trailing zeros, of which PostgreSQL prints none.
 */
export function wireTime(text: string): string {
  return text.replace(' ', 'T').replace(/\+00(?::?00)?$/, 'Z')
}
