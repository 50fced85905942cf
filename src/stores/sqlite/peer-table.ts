import { type HealthRecord, unknownHealth } from '../../kernel/health.ts'
import { type Address, type Peer, type PeerId, peerId, type TlsSettings } from '../../kernel/peer.ts'
import type { PeerStore, Unreadable } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { fromJson, readable, toJson } from './json-column.ts'
import { isForeignKeyError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'

const columns = 'id, name, enabled, metadata'

export class PeerTable implements PeerStore<SqliteTx> {
  async get(tx: SqliteTx, id: PeerId): Promise<Peer | undefined> {
    const row = tx.prepare(`SELECT ${columns} FROM peers WHERE id = ?`).get(id)
    return row === undefined ? undefined : toPeer(tx, row)
  }

  async findByAddress(tx: SqliteTx, transport: string, value: string): Promise<readonly Peer[]> {
    const sql = `SELECT ${columns} FROM peers
      WHERE id IN (SELECT peer FROM peer_addresses WHERE transport = ? AND value = ?) ORDER BY name, id`
    const rows = tx.prepare(sql).all(transport, value)
    return rows.flatMap((row) => readable(() => toPeer(tx, row)) ?? [])
  }

  async list(tx: SqliteTx): Promise<readonly Peer[]> {
    const rows = tx.prepare(`SELECT ${columns} FROM peers ORDER BY name, id`).all()
    return rows.flatMap((row) => readable(() => toPeer(tx, row)) ?? [])
  }

  async unreadable(tx: SqliteTx): Promise<readonly Unreadable[]> {
    const rows = tx.prepare(`SELECT ${columns} FROM peers ORDER BY id`).all()
    const reason = 'what is stored about it cannot be read'
    return rows
      .filter((row) => readable(() => toPeer(tx, row)) === undefined)
      .map(({ id }) => ({ id: String(id), reason }))
  }

  async put(tx: SqliteTx, { id, name, enabled, metadata, addresses }: Peer): Promise<void> {
    const sql = `INSERT INTO peers (${columns}) VALUES (?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled, metadata = excluded.metadata`
    tx.prepare(sql).run(id, name, Number(enabled), toJson(metadata))
    tx.prepare('DELETE FROM peer_addresses WHERE peer = ?').run(id)
    const insert = tx.prepare(
      'INSERT INTO peer_addresses (peer, position, transport, value, tls, public_only) VALUES (?, ?, ?, ?, ?, ?)',
    )
    for (const [position, { transport, value, tls, publicOnly }] of addresses.entries())
      insert.run(
        id,
        position,
        transport,
        value,
        tls === undefined ? null : toJson(tls),
        Number(publicOnly === true),
      )
  }

  async remove(tx: SqliteTx, id: PeerId): Promise<boolean> {
    return Number(tx.prepare('DELETE FROM peers WHERE id = ?').run(id).changes) > 0
  }

  async health(tx: SqliteTx, id: PeerId): Promise<HealthRecord | undefined> {
    const row = tx.prepare('SELECT health FROM peer_health WHERE peer = ?').get(id)
    return row && { ...unknownHealth, ...(fromJson(row.health) as HealthRecord) }
  }

  async saveHealth(tx: SqliteTx, id: PeerId, health: HealthRecord): Promise<void> {
    const sql = `INSERT INTO peer_health (peer, health) VALUES (?, ?)
      ON CONFLICT (peer) DO UPDATE SET health = excluded.health`
    try {
      tx.prepare(sql).run(id, toJson(health))
    } catch (error) {
      throw isForeignKeyError(error) ? new SyncError('config/invalid', `there is no peer ${id}`) : error
    }
  }
}

function toPeer(tx: SqliteTx, row: Record<string, unknown>): Peer {
  const sql = 'SELECT transport, value, tls, public_only FROM peer_addresses WHERE peer = ? ORDER BY position'
  const addresses = tx.prepare(sql).all(String(row.id))
  return {
    id: peerId(String(row.id)),
    name: String(row.name),
    addresses: addresses.map(toAddress),
    enabled: row.enabled === 1,
    metadata: fromJson(row.metadata) as Peer['metadata'],
  }
}

function toAddress({ transport, value, tls, public_only }: Record<string, unknown>): Address {
  return {
    transport: String(transport),
    value: String(value),
    ...(tls !== null && { tls: fromJson(tls) as TlsSettings }),
    ...(public_only === 1 && { publicOnly: true }),
  }
}
