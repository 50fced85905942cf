import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { blake3 } from '../../src/planes/documents/entry/blake3.ts'
import { encodeEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import {
  createSqliteDocumentStorage,
  type Database,
  docStore,
  formatTicket,
  httpTransport,
  Instance,
  openEntry,
  parseTicket,
  Sync,
  syncEnabled,
} from '../../src/planes/documents/index.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { answerParent } from '../harness/child.ts'
import { corpusPages, storeName, writers } from './corpus.ts'
import type { Answer, Command } from './peer.ts'

/**
 * A node of its own on a folder, as a daemon has it: SQLite, worker threads, HTTP. Told what to do by its parent.
 *
 *     node peer-process.ts FOLDER WRITER
 */
const [, , dir, writer] = process.argv
const started = performance.now()
const sockets = new Set<Socket>()
subscribe('net.server.socket', (message) => sockets.add((message as { readonly socket: Socket }).socket))

const store = await createSqliteStore({ dir: dir! })
const storage = await createSqliteDocumentStorage({ store })
const instance = (await Instance.open({ storage })) as Instance
const sync = await Sync.open(instance)
const key = writers[Number(writer) as 0 | 1]
const openedMs = performance.now() - started
let database = await known()

answerParent(perform)

async function perform(command: Command): Promise<Answer> {
  switch (command.do) {
    case 'load':
      for await (const page of corpusPages(command.file, 4_000)) await instance.ingest(page)
      database = await known()
      await sync.setSyncSettings(database!.id, syncEnabled)
      return {}
    case 'listen':
      await sync.registerTransport('web', httpTransport({ bind: { host: '127.0.0.1', port: 0 } }))
      await sync.acceptConnections()
      return { ticket: formatTicket(sync.createTicket(database!.id)) }
    case 'dial':
      await sync.registerTransport('web', httpTransport())
      return {}
    case 'sync':
      return await synced(command.ticket)
    case 'write':
      return { entryBytes: await written(command.count, command.label) }
    case 'state':
      return await state(command.replay)
    case 'forge':
      return { refused: await forged(command.file, command.count) }
    case 'usage':
      return usage()
  }
}

async function known(): Promise<Database | undefined> {
  const ids = (await instance.databases()).filter((id) => id !== instance.system('_sync'))
  return ids[0] === undefined ? undefined : await instance.database(ids[0], { key })
}

/** One exchange, the wait until everything is durable included. */
async function synced(text: string): Promise<Answer> {
  const ticket = parseTicket(text)
  sync.setAccessKey(ticket.database, key)
  if (sync.peers.peer(ticket.peer!) === undefined) await sync.connect(ticket.addresses[0]!)
  const before = performance.now()
  await sync.syncTree(ticket.peer!, ticket.database)
  const ms = performance.now() - before
  const [attempt] = await sync.history(ticket.peer!, 1)
  const { received, sent, requests, bytes } = attempt!
  database = await known()
  return { ms, received, sent, requests, messageBytes: bytes }
}

async function written(count: number, label: string): Promise<number> {
  let bytes = 0
  for (let n = 0; n < count; n++) {
    const id = await database!.transact(async (tx) => {
      const notes = await tx.getStore(storeName, docStore)
      notes.set(`key-${n}`, `${label} ${n}`)
    })
    bytes += (await database!.entry(id)).bytes.length
  }
  return bytes
}

/** Reads one value, as an application does that has just started, and then all of them for the digest. */
async function state(replay: boolean): Promise<Answer> {
  if (replay) await instance.clearStates()
  const before = performance.now()
  using view = await database!.view()
  const notes = await view.getStore(storeName, docStore)
  notes.get('key-0')
  const ms = performance.now() - before
  const values = notes.getAll().toJson()
  const lines = Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
  const digest = Buffer.from(blake3(Buffer.from(lines.join('\n'))))
    .toString('hex')
    .slice(0, 16)
  return { ms, openedMs, digest, count: await database!.count(), tips: (await database!.tips()).join() }
}

/** Entries with a signature that is not theirs: how many of so many are refused for it. */
async function forged(file: string, count: number): Promise<number> {
  for await (const page of corpusPages(file, count + 10)) {
    const entries = page.slice(10).map((bytes) => {
      const { entry } = openEntry(bytes)
      const signature = Buffer.from(entry.sig.signature!, 'base64')
      signature[3]! ^= 1
      return encodeEntry({ ...entry, sig: { ...entry.sig, signature: signature.toString('base64') } })
    })
    const { outcomes } = await instance.ingest(entries)
    return outcomes.filter((o) => o.kind === 'refused' && o.code === 'document/bad-signature').length
  }
  return 0
}

function usage(): Answer {
  const { user, system } = process.cpuUsage()
  let socketBytes = 0
  for (const socket of sockets) socketBytes += socket.bytesRead + socket.bytesWritten
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1_024)
  return { socketBytes, peakMb, cpuSeconds: (user + system) / 1e6 }
}
