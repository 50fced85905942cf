import { z } from 'zod'
import {
  type Database,
  Doc,
  DocumentError,
  docStore,
  List,
  type LiveValue,
  type PlainValue,
  type Transaction,
  table,
} from '../../planes/documents/index.ts'
import type { StoredValue, StorePlace, WrittenEntry } from './documents-control.ts'

const rows = table<unknown>(z.unknown())
type Place = Pick<StorePlace, 'store' | 'path'>

/**
 * What is at a path of a store, as JSON.
 *
 * @throws DocumentError `document/not-found`, `document/store-type` for a kind of store that has no JSON
 */
export function readValue(database: Database, { store, path }: Place): Promise<StoredValue> {
  return database.read(async (view) => {
    const type = await typeOf(view, store)
    if (type === undefined) throw await noStore(view, store)
    const value = await valueIn(view, type, store, path)
    if (value === undefined)
      throw new DocumentError('document/not-found', `there is nothing at ${path} in the store ${store}`)
    return { database: database.id, store, path: path ?? null, type, value }
  })
}

/** Writes a value; a store that is not there becomes a document. Throws `document/bad-value` and what the entry is refused with. */
export async function writeValue(
  database: Database,
  { store, path, value }: Place & { readonly path: string; readonly value: unknown },
): Promise<WrittenEntry> {
  const entry = await database.transact(async (tx) => {
    const type = (await typeOf(tx, store)) ?? docStore.type
    if (type === rows.type) (await tx.getStore(store, rows)).set(path, value)
    else (await tx.getStore(store, document(type, store))).set(path, value as PlainValue)
  })
  return { database: database.id, entry }
}

/** @throws DocumentError `document/not-found` when nothing is there */
export async function removeValue(
  database: Database,
  { store, path }: Place & { readonly path: string },
): Promise<WrittenEntry> {
  const entry = await database.transact(async (tx) => {
    const type = await typeOf(tx, store)
    if (type === undefined) throw await noStore(tx, store)
    const handle =
      type === rows.type ? await tx.getStore(store, rows) : await tx.getStore(store, document(type, store))
    if (!handle.delete(path))
      throw new DocumentError('document/not-found', `there is nothing at ${path} in the store ${store}`)
  })
  return { database: database.id, entry }
}

async function valueIn(
  view: Transaction,
  type: string,
  store: string,
  path: string | undefined,
): Promise<unknown> {
  if (type === rows.type) {
    const table = await view.getStore(store, rows)
    return path === undefined
      ? Object.fromEntries([...table.rows()].sort(([a], [b]) => (a < b ? -1 : 1)))
      : table.get(path)
  }
  const handle = await view.getStore(store, document(type, store))
  if (path === undefined) return plain(handle.getAll())
  const value = handle.get(path)
  return value === undefined ? undefined : plain(value)
}

async function typeOf(view: Transaction, store: string): Promise<string | undefined> {
  return (await view.index()).get(store)?.type
}

function document(type: string, store: string): typeof docStore {
  if (type === docStore.type) return docStore
  const message = `the store ${store} is a ${type}; only ${docStore.type} and ${rows.type} are read and written as JSON`
  throw new DocumentError('document/store-type', message)
}

async function noStore(view: Transaction, store: string): Promise<DocumentError> {
  const names = (await view.index()).list()
  const there = names.length === 0 ? 'it has none yet' : `it has ${names.join(', ')}`
  return new DocumentError(
    'document/not-found',
    `the database has no store ${JSON.stringify(store)}; ${there}`,
  )
}

/** As JSON can say it, with keys sorted: their order comes from how a state was put together, and differs between nodes. */
function plain(value: LiveValue): unknown {
  if (value instanceof Doc) {
    const entries = [...value.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries.map(([key, child]) => [key, plain(child)]))
  }
  if (value instanceof List) return value.live.map(plain)
  return typeof value === 'bigint' ? String(value) : value
}
