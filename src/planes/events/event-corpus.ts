import { hash } from 'node:crypto'
import type { NostrEvent } from './event.ts'
import { serializeEvent } from './event-id.ts'
import { createSigner, type EventTemplate, type Signer } from './signer.ts'

export interface CorpusOptions {
  /** Same options, same events, down to the signatures. */
  readonly seed: number
  readonly count: number
  /** Public keys; the r-th most active writes in proportion to 1/r. */
  readonly authors: number
  /** Unix seconds of the first and of the last event; in between they are spread evenly, each reply after what it answers. */
  readonly from: number
  readonly to: number
  readonly signal?: AbortSignal | undefined
}

/** Uniform in [0, 1). */
type Random = () => number

interface Note {
  readonly id: string
  readonly pubkey: string
  readonly root: string
}

interface Setting {
  readonly random: Random
  readonly pubkeys: readonly string[]
  /** Notes and articles that later events may answer, oldest first. */
  readonly notes: readonly Note[]
  /** Different for each event of a corpus, so that no two are the same. */
  readonly serial: number
  readonly created_at: number
}

/** Per mille. Roughly what public relays hold of these kinds. */
const kindShares: readonly (readonly [kind: number, share: number])[] = [
  [1, 600],
  [7, 270],
  [6, 50],
  [0, 25],
  [3, 20],
  [30_023, 35],
]
const maxNotes = 1_000
/** Signing blocks; after this many events, others have their turn. */
const eventsPerTurn = 16

/**
 * Signed events that look like a public relay's, for demos and benches: raw JSON, one event per line, about 700 bytes on
 * average. Notes form threads, reactions and reposts name notes, profiles and contact lists replace each other.
 */
export async function* generateCorpus(options: CorpusOptions): AsyncGenerator<string, void, undefined> {
  const { seed, count, from, to, signal } = options
  const random = randomOf(seed)
  const signers = Array.from({ length: options.authors }, (_, i) => signerOf(seed, i))
  const pubkeys = signers.map(({ pubkey }) => pubkey)
  const pickAuthor = zipf(options.authors, random)
  const notes: Note[] = []
  for (let serial = 0; serial < count; serial++) {
    const created_at = from + Math.floor(((to - from) * serial) / Math.max(1, count - 1))
    const template = draft({ random, pubkeys, notes, serial, created_at })
    const event = signers[pickAuthor()]!.sign(template)
    if (event.kind === 1 || event.kind === 30_023) remember(notes, event)
    yield serializeEvent(event)
    if (serial % eventsPerTurn !== 0) continue
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  }
}

function signerOf(seed: number, author: number): Signer {
  const auxiliary = new Uint8Array(32)
  return createSigner(hash('sha256', `corpus ${seed} author ${author}`), { auxiliary: () => auxiliary })
}

function remember(notes: Note[], { id, pubkey, tags }: NostrEvent): void {
  const root = tags.find((tag) => tag[3] === 'root')?.[1] ?? id
  notes.push({ id, pubkey, root })
  if (notes.length > 2 * maxNotes) notes.splice(0, maxNotes)
}

function draft(setting: Setting): EventTemplate {
  const { random, notes, created_at } = setting
  const drawn = kindOf(random)
  // The first events have nothing to answer yet.
  const kind = notes.length === 0 && (drawn === 6 || drawn === 7) ? 1 : drawn
  return { kind, created_at, ...drafts[kind]!(setting) }
}

const drafts: Readonly<Record<number, (setting: Setting) => Pick<EventTemplate, 'tags' | 'content'>>> = {
  0: ({ random, serial }) => {
    const name = `${pick(words, random)}${serial}`
    const profile = {
      name,
      display_name: name,
      about: prose(random, 120),
      picture: `https://img.example/${name}.webp`,
    }
    return { tags: [], content: JSON.stringify(profile) }
  },
  1: ({ random, notes, serial }) => {
    const content = `${prose(random, 40 + 600 * random() ** 3)} ${serial}`
    const topics = random() < 0.2 ? [['t', pick(words, random)]] : []
    if (notes.length === 0 || random() < 0.45) return { tags: topics, content }
    const parent = recent(notes, random)
    const thread = [['e', parent.root, 'wss://relay.example/', 'root']]
    if (parent.id !== parent.root) thread.push(['e', parent.id, '', 'reply'])
    return { tags: [...thread, ['p', parent.pubkey], ...topics], content }
  },
  3: ({ random, pubkeys, serial }) => {
    const follows = Array.from({ length: 5 + Math.floor(random() ** 2 * 60) }, () => [
      'p',
      pick(pubkeys, random),
    ])
    return { tags: [...follows, client(serial)], content: '' }
  },
  6: ({ random, notes, serial }) => {
    const { id, pubkey } = recent(notes, random)
    return {
      tags: [['e', id, 'wss://relay.example/'], ['p', pubkey], client(serial)],
      content: '',
    }
  },
  7: ({ random, notes, serial }) => {
    const { id, pubkey } = recent(notes, random)
    return {
      tags: [['e', id], ['p', pubkey], client(serial)],
      content: pick(['+', '+', '🤙', '🫂', '⚡', '-'], random),
    }
  },
  30023: ({ random, serial, created_at }) => {
    const title = prose(random, 40)
    const tags = [
      ['d', `${pick(words, random)}-${serial}`],
      ['title', title],
      ['published_at', String(created_at)],
      ['t', pick(words, random)],
    ]
    const paragraphs = Array.from({ length: 2 + Math.floor(random() * 8) }, () => prose(random, 300))
    return { tags, content: `# ${title}\n\n${paragraphs.join('\n\n')}` }
  },
}

/** Tells apart what one author does twice in a second. */
function client(serial: number): string[] {
  return ['client', `corpus ${serial}`]
}

function kindOf(random: Random): number {
  let left = random() * 1_000
  for (const [kind, share] of kindShares) {
    left -= share
    if (left < 0) return kind
  }
  return 1
}

/** The nearer, the likelier. */
function recent(notes: readonly Note[], random: Random): Note {
  return notes[notes.length - 1 - Math.floor(random() ** 3 * notes.length)]!
}

const words = (
  'relay event signed the a of and to is not key note time we they who sync store again zap quiet morning river ' +
  'server light network freedom coffee bread letter signal mirror garden window winter proof order music street ' +
  'café naïve Größe señal привет мир 世界 ありがとう 🌱 🔑 it’s “quoted” "plain" back\\slash tab\there'
).split(' ')

/** About `length` characters of words. */
function prose(random: Random, length: number): string {
  let text = ''
  while (text.length < length) {
    const end = random() < 0.08 ? '.\n' : random() < 0.1 ? ', ' : ' '
    text += pick(words, random) + end
  }
  return text.trimEnd()
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)]!
}

/** Draws 0 … n−1 with weights 1, 1/2, 1/3 … */
function zipf(n: number, random: Random): () => number {
  const sums: number[] = []
  let total = 0
  for (let rank = 1; rank <= n; rank++) {
    total += 1 / rank
    sums.push(total)
  }
  return () => {
    const wanted = random() * total
    let [low, high] = [0, n - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** mulberry32: small, fast and the same on every machine. */
function randomOf(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
