import type { z } from 'zod'
import { configSchema } from './schema.ts'
import { type SettingInfo, settingInfo } from './setting-info.ts'

/** How the text of a flag or an environment variable becomes a value. */
export type SettingKind =
  | 'text'
  | 'number'
  | 'boolean'
  | 'text-list'
  | 'number-list'
  | 'number-record'
  | 'json'

/** One key of the configuration and everywhere it can be set. */
export interface Setting extends Omit<SettingInfo, 'flag'> {
  readonly path: readonly string[]
  /** `sync.idleSeconds`: as messages and the reference name it. */
  readonly key: string
  /** `SYNCLINE_SYNC_IDLE_SECONDS` */
  readonly env: string
  /** `--sync-idle-seconds` */
  readonly flag: string
  /** `syncIdleSeconds`: what argument parsers call the flag's value. */
  readonly attribute: string
  readonly kind: SettingKind
  readonly default: unknown
}

/** Every setting, in the order of the schema. */
export const settings: readonly Setting[] = collect(configSchema, [])

type AnyObject = z.ZodObject<Record<string, z.ZodType>>

function collect(schema: AnyObject, path: readonly string[]): Setting[] {
  return Object.entries(schema.shape).flatMap(([name, child]) => {
    const inner = bare(child)
    if (inner.type === 'object') return collect(inner as AnyObject, [...path, name])
    return [setting([...path, name], child, inner)]
  })
}

function setting(path: readonly string[], schema: z.ZodType, inner: z.ZodType): Setting {
  const key = path.join('.')
  const info = settingInfo.get(schema)
  if (info === undefined) throw new Error(`the setting ${key} has no description`)
  const { flag, ...shown } = info
  const words = path.flatMap((name) => name.split(/(?=[A-Z])/)).map((word) => word.toLowerCase())
  const flagWords = flag?.slice(2).split('-') ?? words
  return {
    ...shown,
    path,
    key,
    env: `SYNCLINE_${words.join('_').toUpperCase()}`,
    flag: `--${flagWords.join('-')}`,
    attribute: flagWords.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join(''),
    kind: kindOf(key, inner),
    default: schema.parse(undefined),
  }
}

function kindOf(key: string, schema: z.ZodType): SettingKind {
  switch (schema.type) {
    case 'string':
    case 'enum':
      return 'text'
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
      return listKind(bare((schema as z.ZodArray<z.ZodType>).element))
    case 'record':
      return 'number-record'
    default:
      throw new Error(`the setting ${key} has a type that no flag can hold: ${schema.type}`)
  }
}

/** A list of rules or filters has no shorter form than JSON. */
function listKind({ type }: z.ZodType): SettingKind {
  if (type === 'object' || type === 'record') return 'json'
  return type === 'number' ? 'number-list' : 'text-list'
}

/** The schema inside its defaults. */
function bare(schema: z.ZodType): z.ZodType {
  const wrapped = 'unwrap' in schema && ['default', 'prefault', 'optional'].includes(schema.type)
  return wrapped ? bare((schema as z.ZodOptional<z.ZodType>).unwrap()) : schema
}
