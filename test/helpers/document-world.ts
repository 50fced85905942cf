import type { Database } from '../../src/planes/documents/database.ts'
import type { SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import type { DatabaseId, EntryId } from '../../src/planes/documents/entry/entry-id.ts'
import { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import type { IngestOutcome, IngestResult } from '../../src/planes/documents/ingest/ingest-result.ts'
import {
  createInlineSignatureVerifier,
  type SignatureVerifier,
} from '../../src/planes/documents/ingest/signature-verifier.ts'
import { Instance, type InstanceOptions } from '../../src/planes/documents/instance.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import type { DocumentStorage } from '../../src/planes/documents/storage/document-storage.ts'
import { docStore } from '../../src/planes/documents/stores/doc-store.ts'
import { FakeClock } from './fake-clock.ts'

export interface WorldOptions extends Partial<Omit<InstanceOptions<unknown>, 'storage'>> {
  readonly storage?: DocumentStorage
  readonly verifier?: SignatureVerifier
}

/** An instance in memory, whose signatures are checked on this thread. */
export function newInstance({
  storage = new MemoryDocumentStorage(),
  ...options
}: WorldOptions = {}): Promise<Instance> {
  const verifier = createInlineSignatureVerifier()
  return Instance.open({ storage, verifier, clock: new FakeClock(), ...options })
}

/** Keys that are the same in every run. */
export function keyNumber(n: number): KeyPair {
  return KeyPair.fromSeed(new Uint8Array(32).fill(n))
}

/** The database another node has of this one; undefined: nothing of it. */
export async function entriesOf(database: Database): Promise<SealedEntry[]> {
  const entries: SealedEntry[] = []
  for await (const entry of database.entries()) entries.push(entry)
  return entries
}

/** Hands everything of a database to another instance, as a peer would. */
export async function copy(database: Database, to: Instance): Promise<IngestResult> {
  const entries = await entriesOf(database)
  return await to.ingest(entries.map(({ bytes }) => bytes))
}

export async function give(
  to: Instance,
  ...entries: readonly SealedEntry[]
): Promise<readonly IngestOutcome[]> {
  const { outcomes } = await to.ingest(entries.map(({ bytes }) => bytes))
  return outcomes
}

export async function kinds(to: Instance, ...entries: readonly SealedEntry[]): Promise<string[]> {
  const outcomes = await give(to, ...entries)
  return outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind))
}

/** Writes one value into the store `notes`. */
export function put(
  database: Database,
  path: string,
  value: string,
  tips?: readonly EntryId[],
): Promise<EntryId> {
  const work = async (tx: Parameters<Parameters<Database['transact']>[0]>[0]) => {
    const notes = await tx.getStore('notes', docStore)
    notes.set(path, value)
  }
  return database.transact(work, tips === undefined ? {} : { tips })
}

/** The store `notes` as plain JSON. */
export function notes(database: Database, tips?: readonly EntryId[]): Promise<Record<string, unknown>> {
  return database.read(async (view) => (await view.getStore('notes', docStore)).getAll().toJson(), tips)
}

export async function opened(instance: Instance, id: DatabaseId, key?: KeyPair): Promise<Database> {
  return await instance.database(id, key === undefined ? undefined : { key })
}
