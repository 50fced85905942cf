import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { encodeDoc } from '../../src/planes/documents/crdt/doc-json.ts'
import { encodeMetadata } from '../../src/planes/documents/entry/entry-metadata.ts'
import {
  Doc,
  docStore,
  type EntryId,
  Instance,
  KeyPair,
  keyClaim,
  MemoryDocumentStorage,
  sealEntry,
} from '../../src/planes/documents/index.ts'
import { historySteps } from './history.ts'

const cache = fileURLToPath(new URL('../.cache/', import.meta.url))
/** Part of the file's name: another form of the corpus is another file. */
const form = 1

/** The two who write; the first owns the database. */
export const writers = [1, 2].map((n) => KeyPair.fromSeed(new Uint8Array(32).fill(n))) as [KeyPair, KeyPair]

/** The store that is written. */
export const storeName = 'notes'

/**
 * A file of signed entries, each after its length as u32 little-endian, parents first. Made once per size, the same on
 * every machine: signing takes longer than syncing.
 */
export async function corpusFile(count: number): Promise<string> {
  const path = `${cache}documents-${form}-${count}.bin`
  if (existsSync(path)) return path
  await mkdir(cache, { recursive: true })
  await writeFile(
    `${path}.tmp`,
    Buffer.concat((await corpus(count)).flatMap((entry) => [lengthOf(entry), entry])),
  )
  await rename(`${path}.tmp`, path)
  return path
}

/** Entries of a corpus file, so many at a time. */
export async function* corpusPages(path: string, size: number): AsyncGenerator<Uint8Array[]> {
  const file = await readFile(path)
  let page: Uint8Array[] = []
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32LE(at)
    page.push(file.subarray(at + 4, at + 4 + length))
    at += 4 + length
    if (page.length < size && at < file.length) continue
    yield page
    page = []
  }
}

function lengthOf(entry: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(entry.length)
  return length
}

/** Three entries make the database, let the second writer in and make the store; the steps follow. */
async function corpus(count: number): Promise<Uint8Array[]> {
  const storage = new MemoryDocumentStorage()
  await using instance = await Instance.open({ storage, random: (length) => new Uint8Array(length).fill(7) })
  const database = await instance.createDatabase({ key: writers[0], name: 'bench' })
  await database.transact(async (tx) => {
    const settings = await tx.settings()
    settings.setKey(writers[1].publicKey, { permission: { type: 'write', priority: 1 }, status: 'active' })
  })
  const [pin] = await database.tips()
  await database.transact(async (tx) => {
    const notes = await tx.getStore(storeName, docStore)
    notes.set('made', 'yes')
  })
  const entries: Uint8Array[] = []
  for await (const { bytes } of database.entries()) entries.push(bytes)
  const [made] = await database.tips()
  const first = { id: made!, height: 2 }
  const sealed: { readonly id: EntryId; readonly height: number }[] = []
  for (const { writer, parents, key, value } of historySteps(count - entries.length)) {
    const on = parents.length === 0 ? [first] : parents.map((n) => sealed[n]!)
    const ids = on.map(({ id }) => id)
    const height = Math.max(...on.map((parent) => parent.height)) + 1
    const data = encodeDoc(new Doc([[key, value]]))
    const entry = sealEntry(
      {
        root: database.id,
        parents: ids,
        metadata: encodeMetadata({ settingsTips: [pin!] }),
        height,
        stores: [{ name: storeName, parents: ids, data, height: undefined }],
        sig: { signature: undefined, key: keyClaim(writers[writer].publicKey) },
      },
      writers[writer],
    )
    sealed.push({ id: entry.id, height })
    entries.push(entry.bytes)
  }
  return entries
}
