import {
  type AttemptEnd,
  type AttemptRecord,
  type AttemptStart,
  attemptsKept,
} from '../../kernel/attempt-record.ts'
import { type Direction, type Link, type LinkId, linkId } from '../../kernel/link.ts'
import { type PeerId, peerId } from '../../kernel/peer.ts'
import { initialRun, type RunRecord } from '../../kernel/run.ts'
import type { LinkStore } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { fromJson, readable, toJson } from './json-column.ts'
import { isForeignKeyError, isUniqueError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'

const columns = 'id, peer, plane, direction, scope_key, scope, live, enabled, schedule, retired_at'

const putSql = `INSERT INTO links (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET peer = excluded.peer, plane = excluded.plane, direction = excluded.direction,
    scope_key = excluded.scope_key, scope = excluded.scope, live = excluded.live, enabled = excluded.enabled,
    schedule = excluded.schedule, retired_at = excluded.retired_at`

const checkpointSql = `INSERT INTO link_checkpoints (link, checkpoint) VALUES (?, ?)
  ON CONFLICT (link) DO UPDATE SET checkpoint = excluded.checkpoint`

const runSql = `INSERT INTO link_runs (link, run) VALUES (?, ?) ON CONFLICT (link) DO UPDATE SET run = excluded.run`

export class LinkTable implements LinkStore<SqliteTx> {
  async get(tx: SqliteTx, id: LinkId): Promise<Link | undefined> {
    return toLink(tx.prepare(`SELECT ${columns} FROM links WHERE id = ?`).get(id))
  }

  async find(
    tx: SqliteTx,
    peer: PeerId,
    plane: string,
    direction: string,
    scopeKey: string,
  ): Promise<Link | undefined> {
    const sql = `SELECT ${columns} FROM links WHERE peer = ? AND plane = ? AND direction = ? AND scope_key = ?`
    return toLink(tx.prepare(sql).get(peer, plane, direction, scopeKey))
  }

  async list(tx: SqliteTx, peer?: PeerId): Promise<readonly Link[]> {
    const rows =
      peer === undefined
        ? tx.prepare(`SELECT ${columns} FROM links ORDER BY id`).all()
        : tx.prepare(`SELECT ${columns} FROM links WHERE peer = ? ORDER BY id`).all(peer)
    return rows.flatMap((row) => readable(() => toLink(row)) ?? [])
  }

  async put(tx: SqliteTx, link: Link): Promise<void> {
    const { id, peer, plane, direction, scopeKey, scope, live, enabled, schedule, retiredAt } = link
    const pace = [Number(live), Number(enabled), schedule ?? null, retiredAt ?? null] as const
    try {
      tx.prepare(putSql).run(id, peer, plane, direction, scopeKey, toJson(scope), ...pace)
    } catch (error) {
      if (isForeignKeyError(error)) throw new SyncError('config/invalid', `there is no peer ${peer}`)
      if (!isUniqueError(error)) throw error
      const what = `a ${direction} link of ${plane} with this scope`
      throw new SyncError('config/invalid', `the peer ${peer} has ${what} already`, { cause: error })
    }
  }

  async remove(tx: SqliteTx, id: LinkId): Promise<boolean> {
    return Number(tx.prepare('DELETE FROM links WHERE id = ?').run(id).changes) > 0
  }

  async checkpoint(tx: SqliteTx, id: LinkId): Promise<unknown> {
    return fromJson(tx.prepare('SELECT checkpoint FROM link_checkpoints WHERE link = ?').get(id)?.checkpoint)
  }

  async saveCheckpoint(tx: SqliteTx, id: LinkId, checkpoint: unknown): Promise<void> {
    const text = toJson(checkpoint)
    if (text === null) tx.prepare('DELETE FROM link_checkpoints WHERE link = ?').run(id)
    else save(tx, checkpointSql, id, text)
  }

  async run(tx: SqliteTx, id: LinkId): Promise<RunRecord | undefined> {
    const row = tx.prepare('SELECT run FROM link_runs WHERE link = ?').get(id)
    const run = row && readable(() => fromJson(row.run) as RunRecord)
    return run && { ...initialRun, ...run }
  }

  async saveRun(tx: SqliteTx, id: LinkId, run: RunRecord): Promise<void> {
    save(tx, runSql, id, JSON.stringify(run))
  }

  async beginAttempt(tx: SqliteTx, { link, trigger, startedAt }: AttemptStart): Promise<number> {
    const sql = 'INSERT INTO link_attempts (link, trigger_word, started_at) VALUES (?, ?, ?)'
    const { lastInsertRowid } = guarded(link, () => tx.prepare(sql).run(link, trigger, startedAt))
    const oldest = `SELECT id FROM link_attempts WHERE link = ? ORDER BY id DESC LIMIT 1 OFFSET ${attemptsKept}`
    tx.prepare(`DELETE FROM link_attempts WHERE link = ? AND id <= (${oldest})`).run(link, link)
    return Number(lastInsertRowid)
  }

  async endAttempt(tx: SqliteTx, id: number, end: AttemptEnd): Promise<void> {
    tx.prepare('UPDATE link_attempts SET ended = ? WHERE id = ? AND ended IS NULL').run(toJson(end), id)
  }

  async attempts(tx: SqliteTx, link: LinkId, limit: number): Promise<readonly AttemptRecord[]> {
    const sql =
      'SELECT id, trigger_word, started_at, ended FROM link_attempts WHERE link = ? ORDER BY id DESC LIMIT ?'
    return tx
      .prepare(sql)
      .all(link, limit)
      .map(({ id, trigger_word, started_at, ended }) => ({
        id: Number(id),
        link,
        trigger: String(trigger_word),
        startedAt: Number(started_at),
        end: ended === null ? undefined : { ...noEnd, ...(fromJson(ended) as AttemptEnd) },
      }))
  }
}

/** What JSON leaves out. */
const noEnd = { code: undefined, reason: undefined }

function save(tx: SqliteTx, sql: string, id: LinkId, text: string): void {
  guarded(id, () => tx.prepare(sql).run(id, text))
}

/** A write about a link, which may be gone by now. */
export function guarded<T>(link: LinkId, write: () => T): T {
  try {
    return write()
  } catch (error) {
    throw isForeignKeyError(error) ? noSuchLink(link) : error
  }
}

export function noSuchLink(id: LinkId): SyncError {
  return new SyncError('config/invalid', `there is no link ${id}`)
}

function toLink(row: Record<string, unknown> | undefined): Link | undefined {
  if (row === undefined) return undefined
  return {
    id: linkId(String(row.id)),
    peer: peerId(String(row.peer)),
    plane: String(row.plane),
    scope: fromJson(row.scope),
    scopeKey: String(row.scope_key),
    direction: row.direction as Direction,
    live: row.live === 1,
    enabled: row.enabled === 1,
    schedule: row.schedule === null ? undefined : String(row.schedule),
    ...(row.retired_at !== null && { retiredAt: Number(row.retired_at) }),
  }
}
