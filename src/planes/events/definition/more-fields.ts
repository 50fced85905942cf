import type { FieldReader } from './field-reader.ts'
import { isFields } from './field-reader.ts'
import type { ServerDefinition } from './server-definition.ts'

const maxLabels = 32
const maxLabelCharacters = 256

/** @param problem why a text is no schedule; what the text means is up to whoever runs it */
export function readSchedule(
  server: FieldReader,
  problem: (text: string) => string | undefined = () => undefined,
): string | null {
  const text = server.text('schedule', 'invalid_schedule')
  const why = text === null ? undefined : problem(text)
  if (why !== undefined) server.refuse('schedule', 'invalid_schedule', why)
  return text
}

export function readPlugins(server: FieldReader): ServerDefinition['plugins'] {
  const plugins = server.inner('plugins', 'invalid_plugins')
  const read = (way: 'down' | 'up') => {
    const path = plugins.text(way, 'invalid_plugins')
    // A node is started from many folders; which program runs must not depend on that.
    if (path !== null && !/^(\/|[A-Za-z]:[\\/])/.test(path))
      plugins.refuse(way, 'invalid_plugins', 'must be an absolute path')
    return path
  }
  const value = { down: read('down'), up: read('up') }
  plugins.refuseUnknown(['down', 'up'])
  return value
}

/** Names as metrics allow them. */
export function readLabels(server: FieldReader): ServerDefinition['labels'] {
  const given = server.given('labels') ?? {}
  const labels = server.inner('labels', 'invalid_labels')
  if (!isFields(given)) return {}
  const entries = Object.entries(given)
  if (entries.length > maxLabels)
    server.refuse('labels', 'invalid_labels', `must hold at most ${maxLabels} labels`)
  return Object.fromEntries(
    entries.flatMap(([name, value]): [string, string][] => {
      if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) {
        labels.refuse(name, 'invalid_labels', 'must be named by letters, digits and _, not a digit first')
        return []
      }
      if (typeof value === 'string' && value.length <= maxLabelCharacters) return [[name, value]]
      labels.refuse(name, 'invalid_labels', `must be a text of at most ${maxLabelCharacters} characters`)
      return []
    }),
  )
}
