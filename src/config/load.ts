import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { SyncError } from '../kernel/sync-error.ts'
import type { ConfigFile } from './file.ts'
import { type Config, configSchema } from './schema.ts'
import { type Setting, settings } from './setting.ts'

export interface ConfigSources {
  /** Path of a YAML file; undefined: `SYNCLINE_CONFIG` if set, else none. */
  readonly file?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Values by `Setting.attribute`, as an argument parser hands them out; other keys are the command's own. */
  readonly flags?: Readonly<Record<string, unknown>>
}

/** Names a file, so it is no key of the file. */
const fileVariable = 'SYNCLINE_CONFIG'
/** Set in development and by the test suite; a node does not read them. */
const foreignVariables = /^SYNCLINE_TEST_/

interface Given {
  readonly value: unknown
  /** `syncline.yaml:3`, `SYNCLINE_PORT`, `--port`. */
  readonly origin: string
}

/**
 * Flags over environment over file over defaults, checked as a whole.
 *
 * @throws SyncError `config/invalid` naming every wrong key with its value, its source and what is allowed
 */
export async function loadConfig(sources: ConfigSources = {}): Promise<Config> {
  const { env = {}, flags = {} } = sources
  const problems: string[] = []
  const path = sources.file ?? env[fileVariable]
  const file = path === undefined ? undefined : await readConfigFile(path)
  const given = new Map<string, Given>()

  for (const [key, { value, line }] of file?.values ?? [])
    given.set(key, { value, origin: `${file!.path}:${line}` })
  for (const key of unknownVariables(env))
    problems.push(`${key} is no setting of Syncline; see docs/reference/configuration.md for those there are`)
  for (const setting of settings) {
    const variable = env[setting.env]
    const flag = flags[setting.attribute]
    if (variable !== undefined)
      given.set(setting.key, { value: fromText(setting, variable), origin: setting.env })
    if (flag !== undefined)
      given.set(setting.key, {
        value: typeof flag === 'string' ? fromText(setting, flag) : flag,
        origin: setting.flag,
      })
  }
  const result = configSchema.safeParse(nested(given))
  if (!result.success) problems.push(...result.error.issues.flatMap((issue) => explain(issue, given)))
  if (problems.length > 0 || !result.success)
    throw new SyncError('config/invalid', `the configuration is wrong:\n${[...new Set(problems)].join('\n')}`)
  return result.data
}

async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SyncError('config/invalid', `the configuration file ${path} cannot be read: ${why}`, {
      cause: error,
    })
  }
  // Without a file nobody needs to read YAML.
  const { parseConfigFile } = await import('./file.ts')
  return parseConfigFile(path, text)
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set([fileVariable, ...settings.map((setting) => setting.env)])
  return Object.keys(env).filter(
    (key) => key.startsWith('SYNCLINE_') && !known.has(key) && !foreignVariables.test(key),
  )
}

/** What does not fit the kind stays text, so that the schema refuses it with the words the user wrote. */
function fromText(setting: Setting, text: string): unknown {
  switch (setting.kind) {
    case 'text':
      return text
    case 'number':
      return number(text)
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'text-list':
      return list(text)
    case 'number-list':
      return list(text).map(number)
    case 'json':
      return json(text)
    case 'number-record':
      return Object.fromEntries(
        list(text).map((pair) => {
          const [name = '', value = ''] = pair.split('=', 2)
          return [name.trim(), number(value)]
        }),
      )
  }
}

function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  return items.length === 1 && items[0] === '' ? [] : items
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function number(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text
}

/** Without prototypes, so that a key named `__proto__` is a key like any other and refused. */
function nested(given: ReadonlyMap<string, Given>): unknown {
  const root: Record<string, unknown> = Object.create(null)
  for (const [key, { value }] of given) {
    const path = key.split('.')
    let node: Record<string, unknown> | undefined = root
    for (const name of path.slice(0, -1)) {
      node[name] ??= Object.create(null)
      const child: unknown = node[name]
      node = isObject(child) ? child : undefined
      // A value where a group belongs stays, for the schema to refuse.
      if (node === undefined) break
    }
    if (node !== undefined) node[path.at(-1)!] = value
  }
  return root
}

function explain(issue: z.core.$ZodIssue, given: ReadonlyMap<string, Given>): string[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => {
      const key = [...path, name].join('.')
      return `${key}${from(given, key)} is no setting; see docs/reference/configuration.md for those there are`
    })
  const setting = settings.find(({ path: known }) => known.every((name, i) => name === path[i]))
  if (setting === undefined) {
    const key = path.join('.')
    return [`${key}${from(given, key)} is a group of settings, not a value`]
  }
  const value = given.get(setting.key)?.value
  return [
    `${setting.key}: ${setting.secret === true ? 'what is given' : shown(value)}${from(given, setting.key)} is not allowed; allowed: ${setting.allowed}`,
  ]
}

function from(given: ReadonlyMap<string, Given>, key: string): string {
  const origin =
    given.get(key)?.origin ?? [...given].find(([other]) => other.startsWith(`${key}.`))?.[1].origin
  return origin === undefined ? '' : ` (${origin})`
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > 200 ? `${json.slice(0, 200)}…` : json
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
