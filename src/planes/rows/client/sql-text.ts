/** A name in SQL, whatever is in it. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string literal in SQL, for statements that cannot take parameters: triggers and schema. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The time of this statement, as `updated_at` columns hold it (§8.2). */
export const sqlNow = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`
