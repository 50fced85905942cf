import { SyncError } from '../kernel/sync-error.ts'
import { defaultLimits, type Limits } from '../planes/events/limits.ts'

/** The default limits with what the configuration changes. Throws `config/invalid` for a name that is none. */
export function limitsFrom(overrides: Readonly<Record<string, number>>): Limits {
  const unknown = Object.keys(overrides).filter((name) => !Object.hasOwn(defaultLimits, name))
  if (unknown.length > 0) {
    const known = Object.keys(defaultLimits).join(', ')
    throw new SyncError(
      'config/invalid',
      `limits: there is no ${unknown.join(', ')}; those there are: ${known}`,
    )
  }
  return { ...defaultLimits, ...overrides }
}
