import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { normalizeServer } from '../../planes/events/definition/normalize-server.ts'
import { fromRelayBody } from '../../planes/events/definition/relay-body.ts'
import type { DefinitionProfile } from '../../planes/events/definition/server-definition.ts'
import { type FileEntry, parseServersFile } from '../../planes/events/definition/servers-file.ts'
import type { Filter } from '../../planes/events/filter.ts'
import { parseSyncFilter } from '../../planes/events/filter-parser.ts'
import { defaultLimits } from '../../planes/events/limits.ts'
import { checkpointSchema } from '../../planes/events/sync/checkpoint.ts'
import type { ImportedServers, Result, Server, ServerControl } from '../sync-control.ts'
import { failure, refusal } from './control-failure.ts'
import { checkOptions } from './definition-check.ts'
import type { SavedLink } from './server-directory.ts'
import { managerOf, type Servers, type ServersParts } from './servers.ts'

const profileSchema = z.enum(['strict', 'open'])
const stateSchema = z.enum(['running', 'stopped'])
const linksSchema = z.array(
  z.object({
    direction: z.enum(['down', 'up', 'both']),
    filter: z.unknown(),
    checkpoint: checkpointSchema.optional(),
    retiredAt: z.number().optional(),
  }),
)

/** Servers out of files and into them (spec events §2.11). */
export function createServerFiles<Tx>(
  servers: Servers<Tx>,
  parts: ServersParts<Tx>,
): Pick<ServerControl, 'exportServers' | 'importServers'> {
  const { directory } = parts

  async function one(entry: FileEntry, wish: ImportWish): Promise<Result<Server>> {
    const { input, cursor, kept } = entry
    const { manager } = wish
    const state = stateSchema.safeParse(kept?.state).data
    const options = checkOptions(parts.selfUrls())
    const hasId = typeof input !== 'object' || input === null || Object.hasOwn(input, 'id')
    if (hasId) {
      const profile = profileSchema.safeParse(kept?.profile).data ?? wish.profile
      const checked = normalizeServer(input, { ...options, profile })
      if (!checked.ok) return refusal(checked.details)
      return servers.put({ manager, definition: checked.value, profile, cursor, state })
    }
    // A body is known by its URL: what it does not name of a relay that is there stays.
    const url = (input as { readonly url?: unknown }).url
    const [there] = typeof url === 'string' ? await directory.atUrl(url) : []
    const base = there?.record.adHoc === false ? there.record : undefined
    const id = there?.record.definition.id ?? randomUUID()
    const checked = fromRelayBody(input, { ...options, id, base: base?.definition, profile: base?.profile })
    if (!checked.ok) return refusal(checked.details, checked.errors)
    return servers.put({
      manager,
      definition: checked.value,
      profile: base?.profile ?? 'open',
      cursor,
    })
  }

  /** True when the progress of its links came along. */
  async function restore(manager: string, id: string, links: unknown): Promise<boolean> {
    const saved = linksSchema.safeParse(links).data
    const entry = saved && (await directory.find(manager, id))
    if (saved === undefined || entry === undefined) return false
    await servers.cancel(entry.links.map(({ link }) => link.id))
    await directory.restoreLinks(entry, saved.flatMap(readable))
    return true
  }

  return {
    async exportServers(options) {
      const manager = managerOf(options)
      if (typeof manager !== 'string') return manager
      const entries = await servers.list(manager)
      const named = <T>(of: (entry: (typeof entries)[number]) => T): Record<string, T> =>
        Object.fromEntries(entries.map((entry) => [entry.record.definition.id, of(entry)]))
      const links: Record<string, readonly SavedLink[]> = {}
      for (const entry of entries) links[entry.record.definition.id] = await directory.savedLinks(entry)
      const value = {
        version: 3 as const,
        store: parts.epoch,
        servers: named(({ record }) => record.definition),
        runtime: named((entry) => servers.shown(entry).runtime),
        profiles: named(({ record }) => record.profile),
        links,
      }
      return { ok: true, value }
    },

    async importServers(text, { profile = 'strict', ...options } = {}) {
      const manager = managerOf(options)
      if (typeof manager !== 'string') return manager
      if (typeof text !== 'string') return failure('invalid_server', 'a file is given as its text')
      const { entries, store } = parseServersFile(text)
      const report = { imported: [] as Server[], refused: [] as ImportedServers['refused'][number][] }
      let restored = 0
      for (const [at, entry] of entries.entries()) {
        const result = await one(entry, { manager, profile })
        if (!result.ok) {
          report.refused.push({ at, name: nameOf(entry.input), message: result.messages.join('; ') })
          continue
        }
        report.imported.push(result.value)
        // Elsewhere the events are not here that this progress says are.
        if (store === parts.epoch && (await restore(manager, result.value.id, entry.kept?.links))) restored++
      }
      parts.scheduler.wake()
      return { ok: true, value: { ...report, restored } }
    },
  }
}

interface ImportWish {
  readonly manager: string
  readonly profile: DefinitionProfile
}

function readable({ filter, ...link }: z.infer<typeof linksSchema>[number]): readonly SavedLink[] {
  let checked: Filter
  try {
    checked = parseSyncFilter(filter, defaultLimits)
  } catch {
    return []
  }
  return [{ ...link, filter: checked }]
}

function nameOf(input: unknown): string {
  const { id, url } = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>
  // An object of a file may bring a toString that is no function: only what is a name already is turned into text.
  return String([id, url].find((name) => typeof name === 'string' || typeof name === 'number') ?? '')
}
