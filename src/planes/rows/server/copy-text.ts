/** A value in PostgreSQL's text format of COPY; bytes are given as their hex digits. */
export type CopyValue = string | number | null | { readonly hex: string }

/** A line of COPY text. */
export function copyLine(values: readonly CopyValue[]): string {
  let line = ''
  for (const [i, value] of values.entries()) line += `${i === 0 ? '' : '\t'}${copyField(value)}`
  return `${line}\n`
}

function copyField(value: CopyValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return `\\\\x${value.hex}`
  return /[\\\n\r\t]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
    : value
}
