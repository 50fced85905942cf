import type { Direction } from '../kernel/link.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { normalizeRelayUrl } from '../planes/events/definition/relay-url.ts'
import { EventError } from '../planes/events/event-error.ts'
import type { Filter } from '../planes/events/filter.ts'
import { canonicalFilter } from '../planes/events/filter-hash.ts'
import { parseSyncFilter } from '../planes/events/filter-parser.ts'
import { defaultLimits } from '../planes/events/limits.ts'
import type { ConfigBlock, ConfigValue } from './config-text.ts'

/** One relay as the streams of a router together describe it. */
export interface RouterRelay {
  readonly url: string
  readonly direction: Direction
  readonly filters: readonly Filter[]
}

interface Stream {
  readonly name: string
  readonly direction: Direction
  readonly urls: readonly string[]
  readonly filter: Filter
}

const known: ReadonlySet<string> = new Set(['dir', 'urls', 'filter'])
const plugins: ReadonlySet<string> = new Set(['pluginDown', 'pluginUp'])

/**
 * The relays of a strfry router configuration (spec events §7.3). A relay that several streams name gets their filters.
 *
 * @throws SyncError `config/invalid` naming the stream that cannot be taken over as it is
 */
export function routerRelays(config: ConfigBlock): readonly RouterRelay[] {
  const streams = config.get('streams')
  if (!isBlock(streams) || streams.size === 0)
    throw new SyncError('config/invalid', 'the file has no block "streams" with a stream in it')
  const relays = new Map<string, RouterRelay & { readonly stream: string }>()
  for (const { name, direction, urls, filter } of [...streams].map(streamFrom)) {
    for (const url of urls) {
      const before = relays.get(url)
      // Directions belong to the relay here, so two of them cannot be kept apart by filter.
      if (before !== undefined && before.direction !== direction)
        throw refuse(
          name,
          `${url} has dir "${direction}" here and "${before.direction}" in stream "${before.stream}"; one relay has one direction`,
        )
      const filters = [...(before?.filters ?? []), filter]
      const distinct = [...new Map(filters.map((one) => [canonicalFilter(one), one])).values()]
      relays.set(url, { url, direction, filters: distinct, stream: name })
    }
  }
  return [...relays.values()].map(({ url, direction, filters }) => ({ url, direction, filters }))
}

function streamFrom([name, stream]: readonly [string, ConfigValue]): Stream {
  if (!isBlock(stream)) throw refuse(name, 'it is no block')
  for (const key of stream.keys()) {
    if (plugins.has(key))
      throw refuse(
        name,
        `${key} is not supported; the setting writePolicyPlugin decides on what comes in from every relay`,
      )
    if (!known.has(key)) throw refuse(name, `"${key}" is not known; there are dir, urls and filter`)
  }
  return {
    name,
    direction: directionOf(name, stream),
    urls: urlsOf(name, stream),
    filter: filterOf(name, stream),
  }
}

function directionOf(name: string, stream: ConfigBlock): Direction {
  const direction = stream.get('dir')
  if (direction === 'up' || direction === 'down' || direction === 'both') return direction
  throw refuse(name, 'dir must be "up", "down" or "both"')
}

function urlsOf(name: string, stream: ConfigBlock): readonly string[] {
  const urls = stream.get('urls')
  if (!Array.isArray(urls) || urls.length === 0)
    throw refuse(name, 'urls must be a list with at least one URL')
  return urls.map((url: ConfigValue) => {
    if (typeof url !== 'string') throw refuse(name, 'urls must be a list of quoted URLs')
    try {
      return normalizeRelayUrl(url)
    } catch (error) {
      throw refuse(name, error instanceof Error ? error.message : String(error))
    }
  })
}

function filterOf(name: string, stream: ConfigBlock): Filter {
  const value = stream.get('filter') ?? new Map<string, ConfigValue>()
  try {
    return parseSyncFilter(typeof value === 'string' ? JSON.parse(value) : toJson(value), defaultLimits)
  } catch (error) {
    if (error instanceof EventError) throw refuse(name, `filter: ${error.message}`)
    throw refuse(name, 'filter: the text is not JSON')
  }
}

function toJson(value: ConfigValue): unknown {
  if (isBlock(value)) return Object.fromEntries([...value].map(([key, one]) => [key, toJson(one)]))
  return Array.isArray(value) ? value.map(toJson) : value
}

const isBlock = (value: ConfigValue | undefined): value is ConfigBlock => value instanceof Map

const refuse = (stream: string, why: string) => new SyncError('config/invalid', `stream "${stream}": ${why}`)
