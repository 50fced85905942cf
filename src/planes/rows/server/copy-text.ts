/** A value in PostgreSQL's text format of COPY. Bytes go in as bytea, a plain object is not a value. */
export type CopyValue = string | number | null | Uint8Array

/** A line of COPY text. */
export function copyLine(values: readonly CopyValue[]): string {
  let line = ''
  for (const [i, value] of values.entries()) line += `${i === 0 ? '' : '\t'}${copyField(value)}`
  return `${line}\n`
}

function copyField(value: CopyValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string')
    return `\\\\x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`
  return /[\\\n\r\t]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
    : value
}
