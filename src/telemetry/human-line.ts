/** Turns one JSON log line into one for people: `10:34:28 WARN  an attempt failed  link=7 reason="no answer"`. */
export function humanLine(json: string): string {
  const { level, time, message, ...fields } = JSON.parse(json) as Record<string, unknown>
  const clock = String(time).slice(11, 19)
  const pairs = Object.entries(fields).map(([key, value]) => `${printable(key)}=${text(value)}`)
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${printable(String(message))}`
  return `${[head, ...pairs].join('  ').trimEnd()}\n`
}

function text(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@+-]+$/.test(value)) return value
  return printable(JSON.stringify(value))
}

/** Without control characters: what a stranger sent must not move the cursor, change colours or forge a second line. */
function printable(value: string): string {
  return value.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{FFFD}')
}
