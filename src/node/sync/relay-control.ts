import { randomUUID } from 'node:crypto'
import type { LinkId } from '../../kernel/link.ts'
import type { OutboxItem } from '../../kernel/outbox.ts'
import { fromRelayBody } from '../../planes/events/definition/relay-body.ts'
import type { ServerControl, SyncRun } from '../sync-control.ts'
import { failure, notFound, refusal } from './control-failure.ts'
import { checkOptions } from './definition-check.ts'
import { type Dispatch, dispatch } from './dispatch.ts'
import { linkUpdates } from './link-updates.ts'
import { linkView } from './link-view.ts'
import { recover } from './recovery.ts'
import type { LinkEntry } from './server-directory.ts'
import { defaultManager, type ServerRecord } from './server-record.ts'
import type { Servers, ServersParts } from './servers.ts'
import { linkMetrics, syncRun, syncState } from './sync-state.ts'

type RelaySide = Pick<
  ServerControl,
  | 'createRelay'
  | 'updateRelay'
  | 'getRelay'
  | 'removeRelay'
  | 'trigger'
  | 'recover'
  | 'reset'
  | 'states'
  | 'runs'
  | 'deadLetters'
  | 'reviveDeadLetters'
  | 'metrics'
  | 'updates'
>

const maxRuns = 50
const maxDeadLetters = 1_000
const urlTaken = failure('url_taken', 'Url has already been taken')

/** The control plane by relay.rb's names (spec events §4): servers of the default manager, one per URL. */
export function createRelayControl<Tx>(
  servers: Servers<Tx>,
  parts: ServersParts<Tx>,
  dispatcher: Dispatch,
): RelaySide {
  const { store, directory, scheduler, clock } = parts
  const attempts = (id: LinkId, limit: number) => store.read((tx) => store.links.attempts(tx, id, limit))

  const stateOf = async (record: ServerRecord, entry: LinkEntry) => {
    const { checkpoint } = linkView(entry, clock.now())
    const goesUp = entry.link.direction !== 'down' && checkpoint.uploadSeq > 0
    return syncState(
      record,
      entry,
      clock.now(),
      goesUp ? await parts.eventAt(checkpoint.uploadSeq) : undefined,
    )
  }

  return {
    async createRelay(body) {
      const checked = fromRelayBody(body, { ...checkOptions(parts.selfUrls()), id: randomUUID() })
      if (!checked.ok) return refusal(checked.details, checked.errors)
      const [taken] = await directory.atUrl(checked.value.url)
      if (taken?.record.adHoc === false) return urlTaken
      const id = taken?.record.definition.id ?? checked.value.id
      return servers.put({ manager: defaultManager, definition: { ...checked.value, id }, profile: 'open' })
    },

    async updateRelay(idOrUrl, body) {
      const entry = await directory.resolve(idOrUrl)
      if (entry === undefined) return notFound(idOrUrl)
      const { manager, definition: base, profile } = entry.record
      const checked = fromRelayBody(body, { ...checkOptions(parts.selfUrls()), id: base.id, base, profile })
      if (!checked.ok) return refusal(checked.details, checked.errors)
      const there = await directory.atUrl(checked.value.url)
      const stays = there.some(({ record }) => record.definition.id === base.id)
      if (there.length > 0 && !stays) return urlTaken
      return servers.put({ manager, definition: checked.value, profile })
    },

    async getRelay(idOrUrl) {
      const entry = await directory.resolve(idOrUrl)
      if (entry === undefined) return failure('unknown_server', `there is no relay ${idOrUrl}`)
      return { ok: true, value: servers.shown(entry) }
    },

    async removeRelay(idOrUrl) {
      const entry = await directory.resolve(idOrUrl)
      return servers.remove(defaultManager, entry?.record.definition.id ?? idOrUrl)
    },

    trigger: (mode, url) => dispatcher(mode, { url, patient: false }),

    async recover() {
      const running = (await servers.list()).filter(({ record }) => record.state === 'running')
      return recover(running, parts)
    },

    async reset(idOrUrl) {
      const entries = await servers.meant(idOrUrl)
      const links = entries.flatMap((entry) => entry.links.map(({ link }) => link.id))
      // A running attempt would save the checkpoint it started from once more.
      await servers.cancel(links)
      await directory.reset(entries)
      scheduler.wake()
      return { reset: links.length }
    },

    async states(idOrUrl) {
      const entries = await servers.meant(idOrUrl)
      return Promise.all(entries.flatMap(({ record, links }) => links.map((link) => stateOf(record, link))))
    },

    async runs(idOrUrl, limit = maxRuns) {
      const runs: SyncRun[] = []
      for (const { record, links } of await servers.meant(idOrUrl))
        for (const { link } of links)
          for (const attempt of await attempts(link.id, limit)) runs.push(syncRun(record, attempt))
      return runs.toSorted((a, b) => b.id - a.id).slice(0, limit)
    },

    async deadLetters(idOrUrl, limit = maxDeadLetters) {
      const links = (await servers.meant(idOrUrl)).flatMap((entry) => entry.links)
      const letters: OutboxItem[] = []
      await store.read(async (tx) => {
        for (const { link } of links) letters.push(...(await store.outbox.dead(tx, link.id, limit)))
      })
      return letters.slice(0, limit)
    },

    async reviveDeadLetters(idOrUrl, ids) {
      const links = (await servers.meant(idOrUrl)).flatMap((entry) => entry.links)
      let revived = 0
      for (const { link } of links) {
        const count = await store.transaction((tx) => store.outbox.revive(tx, link.id, ids))
        revived += count
        if (count > 0 && parts.started()) await scheduler.trigger(link.id, 'upload')
      }
      return { revived }
    },

    async metrics() {
      const now = clock.now()
      const entries = await servers.meant()
      return entries.flatMap(({ record, links }) => links.map((link) => linkMetrics(record, link, now)))
    },

    updates: (signal) =>
      linkUpdates(scheduler, signal, async ({ link, run }) => {
        const found = await directory.ofLink(link)
        return found && stateOf(found.record, { ...found.entry, run })
      }),
  }
}

/** Asks for runs by mode, and answers what came of it. */
export function createDispatch<Tx>(servers: Servers<Tx>, parts: ServersParts<Tx>): Dispatch {
  const { store, directory, scheduler, clock } = parts
  return async (mode, { url, patient }) => {
    // The recurring jobs are everybody's, a person asks for what is shown to them.
    const found =
      url === undefined
        ? await servers.list(patient ? undefined : defaultManager)
        : await directory.atUrl(url)
    if (url !== undefined && found.length === 0)
      return { mode, dispatched: [], skipped: [{ id: null, url, reason: 'unknown_relay' }] }
    // What was only synced on demand takes part when it is named.
    const entries = found.filter(({ record }) => url !== undefined || !record.adHoc)
    const currentRun = async (id: LinkId) =>
      (await store.read((tx) => store.links.attempts(tx, id, 1)))[0]?.id ?? 0
    const current = entries.map((entry) => servers.current(entry))
    return dispatch(scheduler, current, { mode, now: clock.now(), patient, currentRun })
  }
}
