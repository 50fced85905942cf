import { z } from 'zod'

/** What people are told about one key, in errors and on the reference page. */
export interface SettingInfo {
  readonly description: string
  /** Which values are allowed, in words: what an error message ends with. */
  readonly allowed: string
  /** The default in words, where the value itself depends on the machine. */
  readonly defaultText?: string
  /** The flag, where the one that follows from the key is not what people would look for. */
  readonly flag?: `--${string}`
  /** Not to be shown: it may hold a password. */
  readonly secret?: boolean
}

export const settingInfo = z.registry<SettingInfo>()

export const count = (min: number, max: number, fallback: number, description: string, unit = '') =>
  z
    .int()
    .min(min)
    .max(max)
    .default(fallback)
    .register(settingInfo, { description, allowed: `a whole number${unit} from ${min} to ${max}` })

export const seconds = (min: number, max: number, fallback: number, description: string) =>
  count(min, max, fallback, description, ' of seconds')

export const text = (max: number, fallback: string, description: string) =>
  z
    .string()
    .max(max)
    .default(fallback)
    .register(settingInfo, { description, allowed: `text of at most ${max} characters` })
