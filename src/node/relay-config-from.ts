import { SyncError } from '../kernel/sync-error.ts'
import {
  configIssue,
  configRanges,
  isConfigKey,
  type RelayConfig,
} from '../planes/events/definition/relay-config.ts'

/** The node's settings for all relays. Throws `config/invalid` for a name that is none, or a value out of its range. */
export function relayConfigFrom(given: Readonly<Record<string, number>>): RelayConfig {
  for (const [key, value] of Object.entries(given)) {
    if (!isConfigKey(key)) {
      const known = Object.keys(configRanges).join(', ')
      throw new SyncError('config/invalid', `sync.relays: there is no ${key}; those there are: ${known}`)
    }
    const issue = configIssue(key, value)
    if (issue !== undefined) throw new SyncError('config/invalid', `sync.relays.${key} ${issue}`)
  }
  return given
}
