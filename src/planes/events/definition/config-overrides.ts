import type { FieldReader } from './field-reader.ts'
import { isFields } from './field-reader.ts'
import { configIssue, isConfigKey, isWhole } from './relay-config.ts'
import type { ServerDefinition } from './server-definition.ts'

/** The overrides of one relay; keys keep the order in which they were given. */
export function readConfig(server: FieldReader): ServerDefinition['config'] {
  const given = server.given('config') ?? {}
  const config = server.inner('config', 'invalid_config')
  if (!isFields(given)) return {}
  const entries: [string, number | readonly number[]][] = []
  for (const [key, value] of Object.entries(given)) {
    if (key === 'event_kinds') {
      if (isKindList(value)) entries.push([key, [...new Set(value)].sort((a, b) => a - b)])
      else config.refuse(key, 'invalid_config', 'must be a list of kinds, whole numbers from 0 to 65535')
      continue
    }
    const issue = isConfigKey(key) ? configIssue(key, value) : undefined
    if (!isConfigKey(key)) config.refuse(key, 'unknown_field', 'is not a known setting')
    else if (issue === undefined) entries.push([key, value as number])
    else config.refuse(key, 'invalid_config', issue)
  }
  return Object.fromEntries(entries)
}

function isKindList(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 1_000 &&
    value.every((kind) => isWhole(kind, 0, 65_535))
  )
}
