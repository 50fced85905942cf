import type { Clock } from '../../kernel/clock.ts'
import type { LinkId } from '../../kernel/link.ts'
import type { Scheduler } from '../../kernel/scheduler.ts'
import type { Store, Unreadable } from '../../kernel/store.ts'
import type { DefinitionProfile, ServerDefinition } from '../../planes/events/definition/server-definition.ts'
import type { ControlFailure, ControlOptions, Result, Server } from '../sync-control.ts'
import { failure, notFound, refusal } from './control-failure.ts'
import { fileIssues } from './definition-check.ts'
import type { Change, ServerDirectory, ServerEntry } from './server-directory.ts'
import { defaultManager, type ForeignCursor, serverPeerId } from './server-record.ts'
import { toServer } from './server-runtime.ts'

export interface ServersParts<Tx> {
  readonly store: Store<Tx>
  readonly directory: ServerDirectory<Tx>
  readonly scheduler: Scheduler<Tx>
  readonly clock: Clock
  /** The URLs of this node itself. */
  readonly selfUrls: () => readonly string[]
  /** The event a local sequence number was given to; undefined when it is gone. */
  readonly eventAt: (seq: number) => Promise<EventPlace | undefined>
  /** Names the store: what a file says about progress holds for the store it was written from. */
  readonly epoch: string
  /** Whether this node works on its servers by itself. */
  readonly started: () => boolean
}

export interface EventPlace {
  readonly id: string
  readonly created_at: number
}

/** A checked definition with what is kept beside it. */
export interface Wish {
  readonly manager: string
  readonly definition: ServerDefinition
  readonly profile: DefinitionProfile
  /** Default: as it was. */
  readonly cursor?: ForeignCursor | null | undefined
  /** Default: as the definition and what it did so far say. */
  readonly state?: 'running' | 'stopped' | undefined
}

/** Changes servers, and what runs for them along with that: both vocabularies of the control plane stand on this. */
export class Servers<Tx> {
  readonly #parts: ServersParts<Tx>

  constructor(parts: ServersParts<Tx>) {
    this.#parts = parts
  }

  /** What the definition says comes to be. */
  async put({ manager, definition, profile, cursor, state }: Wish): Promise<Result<Server>> {
    const { directory, scheduler } = this.#parts
    const files = await fileIssues(definition)
    if (files.length > 0) return refusal(files)
    const known = await this.find(manager, definition.id)
    if (known !== undefined && 'ok' in known) return known
    const kept = { cursor: cursor ?? known?.record.cursor ?? null, adHoc: false }
    const change = await directory.put({ manager, definition, profile, state, ...kept })
    await this.cancel(change.interrupted)
    scheduler.wake()
    if (change.before === undefined || change.interrupted.length > 0) this.#begin(change)
    // What was interrupted has ended since.
    return { ok: true, value: this.shown((await directory.find(manager, definition.id)) ?? change.after) }
  }

  async setState(manager: string, id: string, state: 'running' | 'stopped'): Promise<Result<null>> {
    const { directory, scheduler } = this.#parts
    const known = await this.find(manager, id)
    if (known !== undefined && 'ok' in known) return known
    const change = known && (await directory.setState(manager, id, state))
    if (change === undefined) return notFound(id)
    await this.cancel(change.interrupted)
    scheduler.wake()
    if (state === 'running' && known?.record.state === 'stopped') this.#begin(change)
    return { ok: true, value: null }
  }

  async remove(manager: string, id: string): Promise<Result<null>> {
    const stopped = await this.setState(manager, id, 'stopped')
    // A record that cannot be read can still be removed.
    if (!stopped.ok && stopped.error !== 'config_quarantined') return stopped
    const removed = await this.#parts.directory.remove(manager, id)
    return removed ? { ok: true, value: null } : notFound(id)
  }

  /** Undefined when there is none, a failure when what is stored cannot be used. */
  async find(manager: string, id: string): Promise<ServerEntry | ControlFailure | undefined> {
    const entry = await this.#parts.directory.find(manager, id)
    if (entry !== undefined) return this.current(entry)
    const damaged = (await this.quarantined(manager)).find((record) => record.id === id)
    if (damaged === undefined) return undefined
    const advice = 'it is kept as it is; remove it to make room for a new one'
    return failure('config_quarantined', `server ${id}: ${damaged.reason} (${advice})`)
  }

  /** Of all managers where none is named. */
  async list(manager?: string): Promise<readonly ServerEntry[]> {
    return (await this.#parts.directory.list(manager)).map((entry) => this.current(entry))
  }

  /** All servers of the default manager, or the one meant: by id, else by URL. */
  async meant(idOrUrl?: string): Promise<readonly ServerEntry[]> {
    if (idOrUrl === undefined) return this.list(defaultManager)
    const entry = await this.#parts.directory.resolve(idOrUrl)
    return entry === undefined ? [] : [this.current(entry)]
  }

  /** By the ids their manager knows them under. */
  async quarantined(manager: string): Promise<readonly Unreadable[]> {
    const prefix = serverPeerId(manager, '')
    return (await this.#parts.directory.quarantined())
      .filter(({ id }) => (prefix === '' ? !id.includes('/') : id.startsWith(prefix)))
      .map(({ id, reason }) => ({ id: id.slice(prefix.length), reason }))
  }

  shown(entry: ServerEntry): Server {
    return toServer(this.current(entry), this.#parts.clock.now())
  }

  /** With the records of running attempts, which are newer than the stored ones. */
  current(entry: ServerEntry): ServerEntry {
    const { scheduler } = this.#parts
    const links = entry.links.map((known) => ({
      ...known,
      run: scheduler.running(known.link.id) ?? known.run,
    }))
    return { ...entry, links }
  }

  /** Side by side: each may take the seconds a plane has to end. */
  async cancel(links: readonly LinkId[]): Promise<void> {
    await Promise.all(links.map((id) => this.#parts.scheduler.cancel(id)))
  }

  /** What is neither live nor on a schedule of its own would only begin with the next tick of the recurring one. */
  #begin({ after }: Change): void {
    const { scheduler, started } = this.#parts
    if (!started() || after.record.state === 'stopped') return
    for (const { link } of after.links)
      if (!link.live && link.schedule === undefined)
        // It may have been removed by now; then there is nothing to begin.
        void scheduler.trigger(link.id, 'realtime').catch(() => {})
  }
}

/** Whose servers are meant; a failure for a name that is none. */
export function managerOf(options: ControlOptions = {}): string | ControlFailure {
  const manager = options.manager ?? options.name ?? defaultManager
  if (typeof manager === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(manager)) return manager
  return failure('invalid_manager', 'a manager is named by 1 to 64 characters of A-Z a-z 0-9 . _ : -')
}
